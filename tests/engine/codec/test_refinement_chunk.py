"""REFN chunks: block lists each way, hostile heads, blocks refined twice, values beyond 32 bits."""

from dataclasses import replace

import numpy as np
import pytest
from known_canvas import table_of
from synthetic_model import synthetic_model

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec import ProgressiveDecoder, encode, encode_chunks
from pcgs_engine.codec.coding_order import LARGEST_COARSE, code_refinement, refinement_laws
from pcgs_engine.codec.encoded_scene import EncodedScene
from pcgs_engine.codec.refinement_chunk import pack_refinement, unpack_refinement
from pcgs_engine.entropy.refinement_laws import Block
from pcgs_engine.entropy.stream_list import join_streams
from pcgs_engine.entropy.varint import pack_varints
from pcgs_engine.errors import BitstreamError, ChecksumError, MalformedError


def head(*numbers):
    return join_streams([pack_varints(np.array(numbers, dtype=np.int64)), b""])


def test_blocks_come_back_in_their_order():
    blocks = [Block(group=200, channel=7), Block(group=0, channel=130), Block(group=3, channel=0)]
    assert unpack_refinement(pack_refinement(blocks, b"abc"), 256, 262) == (blocks, b"abc")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "stream length"),
        (join_streams([b"", b""]), "holds 0 integers"),
        (head(0), "refines 0 blocks, wanted 1..20"),
        (head(21, *range(42)), "refines 21 blocks, wanted 1..20"),
        (head(2**34, 1, 1), "wanted 1..20"),
        (head(2, 1, 1), "holds 2 integers, wanted 4"),
        (head(1, 2, 0), r"names block \[2, 0\], wanted below \[2, 10\]"),
        (head(1, 1, 10), r"names block \[1, 10\], wanted below \[2, 10\]"),
        (head(1, 2**34, 2**34), "wanted below"),
        (head(2, 1, 5, 1, 5), "a block twice"),
        (head(1, 1, 5, 0), "1 bytes after the last block"),
        (join_streams([b"\x80\x80\x80\x80\x80\x01", b""]), "integer"),
        (head(1, 1, 5) + b"\0", "after the last stream"),
    ],
)
def test_hostile_heads_raise(data, message):
    with pytest.raises(MalformedError, match=message):
        unpack_refinement(data, 2, 10)


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(60)


def changed_packages(coded, change):
    """A file of two levels whose REFN chunks were replaced by `change(list of chunks)`."""
    scene = encode_chunks(coded)
    chunks = [c for c in scene.chunks if c.level <= 2]
    core = [c for c in chunks if not c.part]
    chunks = (*core, *change([c for c in chunks if c.part]))
    return EncodedScene(chunks=chunks, levels=scene.levels[:2]).to_bytes({})


def test_package_repeated_in_a_level_raises(coded):
    def twice(packages):
        return [packages[0], replace(packages[0], part=2)]

    decoder = ProgressiveDecoder()
    with pytest.raises(MalformedError, match=r"level 2: group \d+ channel \d+ is refined twice"):
        decoder.feed(changed_packages(coded, twice))
    assert decoder.levels_ready == 1
    assert decoder.refinements_ready == 1


def test_package_left_out_breaks_the_chain(coded):
    def without_first(packages):
        return [replace(packages[1], part=1)]

    with pytest.raises(ChecksumError, match="part 1 of level 2"):
        ProgressiveDecoder().feed(changed_packages(coded, without_first))


def test_package_of_anchors_that_are_new_at_the_level_raises(coded):
    groups = coded.ranking.ranks

    def of_new(packages):
        return [replace(packages[0], data=pack_refinement([Block(group=groups, channel=0)], b""))]

    with pytest.raises(MalformedError, match="is refined"):
        ProgressiveDecoder().feed(changed_packages(coded, of_new))


def test_block_named_again_inside_one_package_raises(coded):
    def doubled(packages):
        blocks, stream = unpack_refinement(packages[0].data, 6, 12)
        return [replace(packages[0], data=pack_refinement([blocks[0], *blocks], stream))]

    with pytest.raises(MalformedError, match="a block twice"):
        ProgressiveDecoder().feed(changed_packages(coded, doubled))


def test_any_damaged_byte_of_a_package_is_an_error_or_changes_nothing(coded):
    data = encode(coded, {})
    chunk = next(c for c in table_of(data).chunks if c.kind is ChunkType.REFINEMENTS)
    refused = 0
    for place in range(chunk.offset, chunk.end):
        broken = bytearray(data)
        broken[place] ^= 0x15
        decoder = ProgressiveDecoder(check_crcs=False)
        try:
            decoder.feed(bytes(broken))
        except BitstreamError:
            refused += 1
            assert decoder.levels_ready == 1
            assert decoder.refinements_ready == chunk.part - 1
        else:  # behind the last bit that decides a symbol
            assert decoder.complete
    assert refused >= chunk.size - 3


class _Port:
    def __init__(self, trits):
        self.trits = trits

    def open(self, kind, rows, symbols_per_row):
        return self

    def code(self, distribution, counts):
        assert distribution.count == len(self.trits)
        return self.trits

    def seal(self, kind, digest):
        self.digest = digest


def at_level_two(coded):
    decoder = ProgressiveDecoder()
    data = encode(coded, {})
    decoder.feed(data[: next(c.offset for c in table_of(data).chunks if c.part)])
    assert decoder._canvas.level == 2
    return decoder._canvas, decoder._model


@pytest.mark.parametrize("sign", [-1, 1])
def test_refining_at_the_edge_of_32_bits_is_exact_or_refused(coded, sign):
    canvas, model = at_level_two(coded)
    laws, block = refinement_laws(canvas, model), Block(group=0, channel=1)
    rows = laws.rows(0)
    canvas.features[rows[0], 1] = sign * LARGEST_COARSE
    trits = np.full(len(rows), 1 + sign, dtype=np.int32)
    found = code_refinement(canvas, laws, [block], _Port(trits))
    assert found.features[rows[0], 1] == sign * (3 * LARGEST_COARSE + 1)
    canvas.features[rows[0], 1] = sign * (LARGEST_COARSE + 1)
    with pytest.raises(MalformedError, match="magnitude 715827883 is refined"):
        code_refinement(canvas, laws, [block], _Port(trits))


def test_laws_of_a_level_do_not_depend_on_packages_before(coded):
    canvas, model = at_level_two(coded)
    laws, block = refinement_laws(canvas, model), Block(group=1, channel=3)
    before = laws.law([(block, 0)]).below.copy()
    rows = laws.rows(0)
    other = Block(group=0, channel=2)
    code_refinement(canvas, laws, [other], _Port(np.full(len(rows), 2, dtype=np.int32)))
    fresh = laws.law([(block, 0)]).below
    assert np.array_equal(before, fresh)
