"""Prefixes: whatever the pieces, exactly the complete cores and packages are decoded."""

from itertools import pairwise

import numpy as np
import pytest
from known_canvas import FIELDS, known_canvases
from synthetic_model import small_config, synthetic_model

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec import ProgressiveDecoder, decode_file, encode, encode_chunks
from pcgs_engine.codec.encoded_scene import EncodedScene, FileChunk
from pcgs_engine.config import Head
from pcgs_engine.errors import BitstreamError, ChecksumError, MalformedError, TruncatedError


def other_scene():
    """Mask net, one rank, neural head: what the other one lacks."""
    config = small_config(3, Head.NEURAL)
    return synthetic_model(45, config=config, seed=3, ranks=1, mask_net=True)


@pytest.fixture(scope="module", params=[lambda: synthetic_model(60), other_scene])
def scene(request):
    coded = request.param()
    return coded, encode(coded, {"title": "pieces"})


def decoded(data, **options):
    decoder = ProgressiveDecoder(**options)
    decoder.feed(data)
    decoder.finish()
    return decoder


def state_of(decoder):
    """Level, part and arrays of everything decoded so far."""
    canvas = decoder._canvas
    return canvas.level, canvas.part, *(getattr(canvas, name) for name in FIELDS)


def assert_is(decoder, known):
    level, part, *arrays = state_of(decoder)
    assert (level, part) == (known.level, known.part)
    for name, array in zip(FIELDS, arrays, strict=True):
        assert np.array_equal(array, getattr(known, name)), name


def test_every_length_decodes_exactly_what_is_complete(scene):
    coded, data = scene
    known = known_canvases(data, coded)
    parts = {k.level: k.part for k in known}  # packages of each level
    assert max(parts.values()) > 3
    decoder, reached = ProgressiveDecoder(), -1
    for length in range(1, len(data) + 1):
        decoder.feed(data[length - 1 : length])
        found = sum(k.end <= length for k in known) - 1
        if found < 0:
            assert decoder.levels_ready == 0
            with pytest.raises(TruncatedError):
                decoder.newest_anchors()
            continue
        now = known[found]
        whole = now.part == parts[now.level]
        assert decoder.levels_ready == (now.level if whole else now.level - 1)
        assert decoder.refinements_ready == (0 if whole else now.part)
        if found > reached:
            assert length == now.end
            assert_is(decoder, now)
            reached = found
    assert reached == len(known) - 1
    assert decoder.complete
    assert decoder.shortage == ""


def test_prefix_ending_anywhere_equals_the_last_cut_point_before(scene):
    coded, data = scene
    known = known_canvases(data, coded)
    for one, following in pairwise(known):
        assert_is(decoded(data[: following.end - 1]), one)


def test_random_pieces_decode_the_same(scene):
    _, data = scene
    whole, rng = decoded(data), np.random.default_rng(0)
    for _ in range(20):
        cuts = np.sort(rng.integers(0, len(data) + 1, rng.integers(1, 30)))
        decoder = ProgressiveDecoder()
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            decoder.feed(data[begin:end])
        decoder.finish()
        assert decoder.complete
        assert decoder.digest(3) == whole.digest(3)
        for one, two in zip(state_of(decoder), state_of(whole), strict=True):
            assert np.array_equal(one, two)


def test_newest_anchors_are_symbols_times_step_at_every_cut_point(scene):
    coded, data = scene
    for known in known_canvases(data, coded):
        decoder = decoded(data[: known.end])
        anchors, steps = decoder.newest_anchors(), decoder._canvas.context.steps
        F = coded.config.feature_dim
        divisor = np.float32(3.0) ** known.depths.astype(np.float32)
        features = known.features.astype(np.float32) * (steps.feature[:, None] / divisor[:, :F])
        size = np.maximum(known.scaling.astype(np.float32), np.float32(0.25))
        scaling = size * (steps.scaling[:, None] / divisor[:, F:])
        offsets = known.offsets.astype(np.float32) * steps.offset[:, None, None]
        assert np.array_equal(anchors.features, features)
        assert np.array_equal(anchors.scaling, scaling)
        assert np.array_equal(anchors.offsets, offsets)
        assert np.array_equal(anchors.gaussian_mask, known.mask_level > 0)
        positions = (known.positions * coded.voxel_size).astype(np.float32)
        assert np.array_equal(anchors.positions, positions)
        assert anchors.level == known.level


def test_shortage_names_the_missing_level(scene):
    _, data = scene
    decoder = decoded(data[:-1])
    assert decoder.levels_ready == 2
    assert decoder.shortage.startswith(f"file ends at byte {len(data) - 1}, level 3 needs")
    assert "2 of 3 levels are usable" in decoder.shortage
    assert ProgressiveDecoder().shortage == "0 bytes end inside header or table"
    assert decoded(data, last_level=2).shortage == ""


def test_finish_before_level_one_says_how_much_it_needs(scene):
    _, data = scene
    end = decoded(data).table.levels[0].end
    for length, message in (
        (0, "inside header"),
        (70, "inside header"),
        (end - 1, f"wanted {end}"),
    ):
        decoder = ProgressiveDecoder()
        decoder.feed(data[:length])
        with pytest.raises(TruncatedError, match=message):
            decoder.finish()


def test_feed_bytes_after_the_end_raise(scene):
    _, data = scene
    with pytest.raises(MalformedError, match="foreign tail"):
        ProgressiveDecoder().feed(data + b"\0")


def test_damage_behind_a_level_leaves_it_usable_and_stays_an_error(scene):
    _, data = scene
    whole = decoded(data)
    end = whole.table.levels[1].end
    broken = bytearray(data)
    broken[end + 20] ^= 1
    decoder = ProgressiveDecoder()
    with pytest.raises(ChecksumError, match="level 3"):
        decoder.feed(bytes(broken))
    assert decoder.levels_ready == 2
    assert np.array_equal(decoder.anchors(2).features, whole.anchors(2).features)
    with pytest.raises(BitstreamError, match="level 3"):
        decoder.feed(b"")


def test_decode_file_reads_no_further_than_its_level(scene, tmp_path):
    _, data = scene
    whole = decoded(data)
    end = whole.table.levels[0].end
    path = tmp_path / "a.pcgs"
    path.write_bytes(data[:end] + bytes(len(data) - end))  # later levels are damaged
    decoder = decode_file(path, 1)
    assert decoder.levels_ready == 1
    assert decoder.digest(1) == whole.digest(1)
    path.write_bytes(data[: end - 1])
    with pytest.raises(TruncatedError, match=f"wanted {end} for level 1"):
        decode_file(path, 1)


def test_decode_file_that_ends_early_gives_its_levels_and_names_the_lack(scene, tmp_path):
    _, data = scene
    path = tmp_path / "a.pcgs"
    path.write_bytes(data[:-1])
    decoder = decode_file(path)
    assert decoder.levels_ready == 2
    assert "level 3 needs" in decoder.shortage
    with pytest.raises(TruncatedError, match="level 3 is not decoded"):
        decode_file(path, 3)


def test_unknown_chunks_anywhere_behind_level_zero_are_skipped(scene):
    coded, data = scene
    plain = encode_chunks(coded)
    chunks = []
    for chunk in plain.chunks:
        chunks.append(chunk)
        if chunk.level:
            extra = FileChunk(
                code=b"zZZZ", level=chunk.level, count=0, data=b"abc", digest=chunk.digest
            )
            chunks.append(extra)
    data_with = EncodedScene(chunks=tuple(chunks), levels=plain.levels).to_bytes({})
    decoder, whole = decoded(data_with), decoded(data)
    assert decoder.complete
    assert [decoder.digest(s) for s in (1, 2, 3)] == [whole.digest(s) for s in (1, 2, 3)]
    # A core is complete with its last chunk, whatever of unknown type follows.
    offsets = [c for c in decoder.table.chunks if c.kind is ChunkType.OFFSETS]
    assert decoded(data_with[: offsets[0].end]).levels_ready == 1
