"""RANK chunks: round trip, nothing where nothing is to say, damaged heads."""

import struct

import numpy as np
import pytest

from pcgs_engine.codec.rank_chunk import pack_ranks, unpack_ranks
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.stream_list import StreamReader, join_streams
from pcgs_engine.errors import BitstreamError, MalformedError

NATIVE, NUMPY = best_backend(), EntropyBackend.NUMPY


@pytest.mark.parametrize("ranks", [2, 4, 16])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_ranks_come_back_on_all_backends(ranks, count):
    rank = np.random.default_rng(count).integers(0, ranks, count).astype(np.uint8)
    data = pack_ranks(rank, ranks, NATIVE)
    assert data == pack_ranks(rank, ranks, NUMPY)
    for backend in (NATIVE, NUMPY):
        assert np.array_equal(unpack_ranks(data, count, ranks, backend), rank)


def test_ranks_cost_their_entropy():
    rank = np.repeat(np.arange(4), [1000, 2000, 3000, 4000]).astype(np.uint8)
    rank = np.random.default_rng(0).permutation(rank)
    assert len(pack_ranks(rank, 4, NATIVE)) < 1.02 * 10_000 * 1.8464 / 8


def test_one_rank_or_no_anchors_take_no_bytes():
    zeros = np.zeros(5, dtype=np.uint8)
    assert pack_ranks(zeros, 1, NATIVE) == pack_ranks(zeros[:0], 4, NATIVE) == b""
    assert np.array_equal(unpack_ranks(b"", 5, 1, NATIVE), zeros)
    assert len(unpack_ranks(b"", 0, 4, NATIVE)) == 0
    for count, ranks in ((5, 1), (0, 4)):
        with pytest.raises(MalformedError, match="wanted 0"):
            unpack_ranks(b"\0", count, ranks, NATIVE)


def test_all_in_one_rank_takes_a_table_and_almost_nothing_more():
    rank = np.full(5000, 2, dtype=np.uint8)
    data = pack_ranks(rank, 4, NATIVE)
    assert len(data) < 40
    assert np.array_equal(unpack_ranks(data, 5000, 4, NATIVE), rank)


@pytest.mark.parametrize(
    "head", [b"", b"\1", b"\1\0\1", bytes(8), bytes(7), bytes(7) + b"\1\0", b"\1" * 10]
)
def test_damaged_table_raises(head):
    rank = np.zeros(10, dtype=np.uint8)
    reader = StreamReader(pack_ranks(rank, 4, NATIVE))
    reader.take()
    with pytest.raises(MalformedError, match=r"RANK: table of .* wanted 8, not all 0"):
        unpack_ranks(join_streams([head, reader.take()]), 10, 4, NATIVE)


@pytest.mark.parametrize("data", [b"", b"\1", struct.pack("<I", 99), join_streams([b"\1" * 8])])
def test_damaged_lists_raise(data):
    with pytest.raises(MalformedError, match="stream"):
        unpack_ranks(data, 10, 4, NATIVE)


def test_flipped_bytes_give_ranks_in_range_or_an_error():
    rank = np.random.default_rng(0).integers(0, 3, 300).astype(np.uint8)
    data = pack_ranks(rank, 3, NATIVE)
    outcomes = set()
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 0x41
        results = []
        for backend in (NATIVE, NUMPY):
            try:
                results.append(unpack_ranks(bytes(broken), 300, 3, backend).tolist())
            except BitstreamError as error:
                results.append(str(error))
        assert results[0] == results[1]
        outcomes.add(type(results[0]))
        if isinstance(results[0], list):
            assert max(results[0]) < 3
    assert outcomes == {list, str}
