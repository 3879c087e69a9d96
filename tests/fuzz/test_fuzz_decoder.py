"""Hostile files: clear errors or the complete levels; never a crash, a hang or wild memory."""

import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_model import small_config, synthetic_model

from pcgs_engine.bitstream import HEADER_SIZE, ChunkTable, DecodeLimits, Header
from pcgs_engine.codec import ProgressiveDecoder, encode, encode_chunks
from pcgs_engine.errors import BitstreamError, ChecksumError

FINDINGS = Path(__file__).parent / "findings"
CHUNK_RECORD = 40
LEVEL_RECORD = 32


@pytest.fixture(scope="module")
def data():
    return encode(synthetic_model(40), {"levels": []})


def outcome(data):
    """Digests of the levels that were decoded, and the error that ended it."""
    decoder, error = ProgressiveDecoder(), None
    try:
        decoder.feed(data)
        decoder.finish()
    except BitstreamError as found:
        error = found
    levels = decoder.levels_ready
    return [decoder.digest(s) for s in range(1, levels + 1)], error


def resealed(data):
    """Correct every CRC, so that mutations reach the code behind the checks."""
    result = bytearray(data)
    header = Header.unpack(bytes(result[:HEADER_SIZE]), DecodeLimits())
    table_end = HEADER_SIZE + header.table_size
    raw = bytes(result[HEADER_SIZE:table_end])
    first = HEADER_SIZE + header.levels * LEVEL_RECORD
    for index, chunk in enumerate(ChunkTable.unpack(raw, header, DecodeLimits()).chunks):
        crc = zlib.crc32(result[chunk.offset : chunk.end])
        struct.pack_into("<I", result, first + index * CHUNK_RECORD + 32, crc)
    seal = zlib.crc32(result[HEADER_SIZE : table_end - 4])
    struct.pack_into("<I", result, table_end - 4, seal)
    return bytes(result)


def test_decoder_every_flipped_byte_raises_or_changes_nothing():
    data = encode(synthetic_model(6, config=small_config(2)), {})
    whole, error = outcome(data)
    assert error is None
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << (place % 8)
        found, error = outcome(bytes(broken))
        assert found == whole[: len(found)]
        assert error is not None or found == whole


def test_decoder_mutated_chunks_behind_valid_crc_raise_or_match_digest(data):
    whole, _ = outcome(data)
    chance = np.random.default_rng(0)
    assert resealed(data) == data
    start = HEADER_SIZE + Header.unpack(data[:HEADER_SIZE], DecodeLimits()).table_size
    for _ in range(250):
        broken = bytearray(data)
        for _ in range(int(chance.integers(1, 5))):
            broken[chance.integers(start, len(data))] = chance.integers(256)
        found, error = outcome(resealed(broken))
        # Weights of the head, cameras and JSON may change unnoticed: no digest covers them.
        assert error is not None or len(found) == len(whole)
        assert found == whole[: len(found)]


def test_decoder_changed_context_weight_is_caught_by_digest():
    # What a machine with a different context model would see: other laws, the same streams.
    coded = synthetic_model(40)
    scene = encode_chunks(coded)
    coded.context.offset_out.bias[:] = 1.5
    other = encode_chunks(coded)
    chunks = tuple(
        theirs if ours.code == b"NETW" else ours
        for ours, theirs in zip(scene.chunks, other.chunks, strict=True)
    )
    found, error = outcome(replace(scene, chunks=chunks).to_bytes({}))
    assert found == []
    assert isinstance(error, BitstreamError)


def test_decoder_random_bytes_raise():
    chance = np.random.default_rng(1)
    for length in (0, 1, 63, 64, 65, 500, 5000):
        _, error = outcome(chance.bytes(length))
        assert error is not None


@pytest.mark.parametrize("anchors", [2**32 - 1, 2**26, 2_000_000])
def test_decoder_oversized_counts_raise_before_allocation(data, anchors):
    broken = bytearray(data)
    struct.pack_into("<I", broken, 20, anchors)
    struct.pack_into("<I", broken, 60, zlib.crc32(broken[:60]))
    header_levels = 3
    last = HEADER_SIZE + (header_levels - 1) * LEVEL_RECORD
    struct.pack_into("<I", broken, last + 4, anchors)
    end = HEADER_SIZE + int.from_bytes(broken[36:40], "little")
    struct.pack_into("<I", broken, end - 4, zlib.crc32(broken[HEADER_SIZE : end - 4]))
    tracemalloc.start()
    _, error = outcome(bytes(broken))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, BitstreamError)
    assert peak < 20_000_000


def test_decoder_after_error_repeats_it_and_keeps_ready_levels(data):
    decoder = ProgressiveDecoder()
    ends = [r.end for r in _table(data).levels]
    broken = bytearray(data)
    broken[ends[1] - 1] ^= 1
    for _ in range(2):
        with pytest.raises(ChecksumError):
            decoder.feed(bytes(broken))
    assert decoder.levels_ready == 1
    assert len(decoder.anchors(1)) > 0


@pytest.mark.parametrize("path", sorted(FINDINGS.glob("*.bin")), ids=lambda p: p.stem)
def test_decoder_finding_raises_within_memory(path):
    tracemalloc.start()
    _, error = outcome(path.read_bytes())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error is not None
    assert peak < 20_000_000


def _table(data):
    header = Header.unpack(data[:HEADER_SIZE], DecodeLimits())
    return ChunkTable.unpack(
        data[HEADER_SIZE : HEADER_SIZE + header.table_size], header, DecodeLimits()
    )
