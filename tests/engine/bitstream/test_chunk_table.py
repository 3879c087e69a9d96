"""The chunk table: round trip; missing, foreign, doubled and lying records are refused."""

import struct
import zlib
from dataclasses import replace

import pytest

from pcgs_engine.bitstream import (
    HEADER_SIZE,
    NO_DIGEST,
    SCENE_CHUNKS,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    LevelRecord,
    chained_digest,
    holds_integers,
    is_ancillary,
    laid_out_size,
    level_chunks,
    table_size,
)
from pcgs_engine.errors import (
    BitstreamError,
    LimitExceededError,
    MalformedError,
    UnsupportedVersionError,
)

LIMITS = DecodeLimits()


def chunk(code, level, digest=NO_DIGEST, **fields):
    values = {"part": 0, "count": 5, "size": 9, "decoded_size": 0, "crc": 77, **fields}
    return ChunkRecord(code=code, level=level, digest=digest, **values)


def table_of(packages=(0, 2)):
    """All chunks of as many levels, the optional ones included."""
    chunks, digest = [chunk(kind.value, 0) for kind in SCENE_CHUNKS], NO_DIGEST
    for level, parts in enumerate(packages, start=1):
        kinds = [(kind, 0) for kind in level_chunks(level)]
        kinds += [(ChunkType.REFINEMENTS, part) for part in range(1, parts + 1)]
        for kind, part in kinds:
            if holds_integers(kind):
                digest = chained_digest(digest, kind.value)
            chunks.append(chunk(kind.value, level, digest, part=part))
    levels = [
        LevelRecord(level=level, anchors=7 * level, gaussians=9 * level)
        for level in range(1, len(packages) + 1)
    ]
    return ChunkTable.arrange(levels, chunks)


TABLE = table_of()


def header_of(table, **changes):
    values = {
        "levels": len(table.levels),
        "anchors": table.levels[-1].anchors,
        "file_size": table.end,
        "chunks": len(table.chunks),
        "table_size": table_size(len(table.levels), len(table.chunks)),
    }
    return Header(**{**values, **changes})


def unpacked(table, **changes):
    return ChunkTable.unpack(table.pack(), header_of(table, **changes), LIMITS)


def with_chunks(chunks):
    return ChunkTable.arrange(TABLE.levels, chunks)


def place_of(kind, level=2):
    return next(i for i, c in enumerate(TABLE.chunks) if (c.kind, c.level) == (kind, level))


def replaced(kind, level=2, /, **changes):
    chunks = list(TABLE.chunks)
    place = place_of(kind, level)
    chunks[place] = replace(chunks[place], **changes)
    return with_chunks(chunks)


@pytest.mark.parametrize("packages", [(0,), (0, 0), (0, 3), (0, 5, 0, 2)])
def test_table_packed_reads_back(packages):
    table = table_of(packages)
    assert unpacked(table) == table
    assert len(table.pack()) == table_size(len(packages), len(table.chunks))


def test_table_records_are_16_and_32_bytes():
    assert table_size(1, 0) - table_size(0, 0) == 16
    assert table_size(0, 1) - table_size(0, 0) == 32


def test_table_chunks_lie_back_to_back_on_multiples_of_8():
    end = HEADER_SIZE + table_size(2, len(TABLE.chunks))
    for record in unpacked(TABLE).chunks:
        assert record.offset == (end + 7) // 8 * 8
        end = record.end
    assert end == TABLE.end == laid_out_size(2, [c.size for c in TABLE.chunks])


def test_table_levels_end_with_their_last_chunk():
    for record in unpacked(TABLE).levels:
        last = [c for c in TABLE.chunks if c.level == record.level][-1]
        assert (record.end, record.digest) == (last.end, last.digest)


def test_table_flipped_byte_raises():
    good, header = TABLE.pack(), header_of(TABLE)
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 0x40
        with pytest.raises(BitstreamError):
            ChunkTable.unpack(bytes(data), header, LIMITS)


def test_table_flipped_byte_with_valid_crc_raises_or_is_information_only():
    good, header = TABLE.pack(), header_of(TABLE)
    for place in range(len(good) - 4):
        data = bytearray(good)
        data[place] ^= 0x20
        sealed = bytes(data[:-4]) + struct.pack("<I", zlib.crc32(data[:-4]))
        try:
            found = ChunkTable.unpack(sealed, header, LIMITS)
        except BitstreamError:
            continue
        assert found.end == TABLE.end
        assert [c.offset for c in found.chunks] == [c.offset for c in TABLE.chunks]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"level": 1}, MalformedError),
        ({"level": 3}, MalformedError),
        ({"level": 0}, MalformedError),
        ({"part": 1}, MalformedError),
        ({"size": 2**32 - 1}, MalformedError),
        ({"size": 17}, MalformedError),
        ({"code": b"XXXX"}, UnsupportedVersionError),
        ({"code": b"FTRT"}, UnsupportedVersionError),
        ({"code": b"xXXX"}, MalformedError),
        ({"code": b"1234"}, MalformedError),
        ({"code": b"\xe1BCD"}, MalformedError),
        ({"code": b"SCAL"}, MalformedError),
    ],
)
def test_table_contradicting_chunk_raises(changes, error):
    table = replaced(ChunkType.FEATURES, **changes)
    with pytest.raises(error):
        unpacked(table, file_size=TABLE.end)


@pytest.mark.parametrize("kind", [k for k in ChunkType if k is not ChunkType.REFINEMENTS])
def test_table_missing_doubled_or_swapped_chunk_raises(kind):
    level = 0 if kind in SCENE_CHUNKS else 2
    place = place_of(kind, level)
    chunks = list(TABLE.chunks)
    changed = [
        chunks[:place] + chunks[place + 1 :],
        chunks[: place + 1] + chunks[place:],
        [*chunks[:place], chunks[place + 1], chunks[place], *chunks[place + 2 :]],
    ]
    optional = kind in (ChunkType.METADATA, ChunkType.THUMBNAIL)
    for found in changed[1:] if optional else changed:
        with pytest.raises(MalformedError):
            unpacked(with_chunks(found))
    if optional:
        assert len(unpacked(with_chunks(changed[0])).chunks) == len(chunks) - 1


@pytest.mark.parametrize("parts", [(2, 1), (1, 1), (1, 3), (0, 1), (2, 3)])
def test_table_refinement_parts_that_do_not_count_up_raise(parts):
    chunks = list(TABLE.chunks)
    chunks[-2:] = [replace(c, part=p) for c, p in zip(chunks[-2:], parts, strict=True)]
    with pytest.raises(MalformedError, match="REFN"):
        unpacked(with_chunks(chunks))


def test_table_refinements_in_level_1_raise():
    with pytest.raises(MalformedError, match=r"level 1: chunk 6 is REFN part 1, wanted absent"):
        unpacked(table_of((1,)))


def test_table_message_names_the_first_chunk_out_of_order():
    place = place_of(ChunkType.SCALING)
    chunks = TABLE.chunks[:place] + TABLE.chunks[place + 1 :]
    with pytest.raises(MalformedError, match="chunk 5 is MASK part 0, wanted SCAL part 0"):
        unpacked(with_chunks(chunks))


@pytest.mark.parametrize(
    ("level", "changes", "error"),
    [
        (1, {"level": 2}, MalformedError),
        (1, {"anchors": 15}, MalformedError),
        (2, {"anchors": 13}, MalformedError),
        (2, {"gaussians": 8}, MalformedError),
        (2, {"anchors": 7 + 9 * 1024 + 1}, LimitExceededError),
    ],
)
def test_table_contradicting_level_raises(level, changes, error):
    levels = list(TABLE.levels)
    levels[level - 1] = replace(levels[level - 1], **changes)
    with pytest.raises(error):
        unpacked(replace(TABLE, levels=tuple(levels)), anchors=14)


@pytest.mark.parametrize("kind", [ChunkType.GAINS, ChunkType.TRIT_NETWORKS])
def test_table_chunk_without_integers_must_repeat_the_digest(kind):
    with pytest.raises(MalformedError, match="holds no integers"):
        unpacked(replaced(kind, digest=b"87654321"))
    with pytest.raises(MalformedError, match="holds no integers"):
        unpacked(replaced(ChunkType.MODEL, 0, digest=b"87654321"))


def test_table_unknown_ancillary_chunks_are_allowed_anywhere_even_twice():
    chunks = []
    for record in TABLE.chunks:
        chunks += [record, *[chunk(b"xTRA", record.level, record.digest, part=9)] * 2]
    assert len(unpacked(with_chunks(chunks)).chunks) == 3 * len(TABLE.chunks)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [(ChunkType.METADATA, 4 << 20), (ChunkType.MODEL, 4 << 20), (ChunkType.THUMBNAIL, 65536)],
)
def test_table_front_chunk_beyond_its_limit_raises(kind, limit):
    assert unpacked(replaced(kind, 0, size=limit)).levels[0].anchors == 7
    with pytest.raises(LimitExceededError, match=kind.value.decode()):
        unpacked(replaced(kind, 0, size=limit + 1))


def test_table_of_wrong_length_raises():
    with pytest.raises(MalformedError, match="table of"):
        unpacked(TABLE, chunks=3)


def test_digest_chain_is_blake2b_of_digest_and_integers():
    assert chained_digest(NO_DIGEST, b"abc").hex() == "6fe084ad64b10b82"
    assert chained_digest(b"12345678", b"abc") != chained_digest(NO_DIGEST, b"abc")


def test_is_ancillary_lower_case_first_letter_may_be_skipped():
    assert is_ancillary(b"mETA")
    assert not is_ancillary(b"MODL")
