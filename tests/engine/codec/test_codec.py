"""Whole files: every level comes back bit for bit, in any pieces, on any backend, without torch."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_model import small_config, synthetic_model

from pcgs_engine.codec import (
    EntropyBackend,
    ProgressiveDecoder,
    best_backend,
    decode_file,
    encode,
    encode_chunks,
)
from pcgs_engine.config import Head
from pcgs_engine.errors import ConfigError, MalformedError, TruncatedError

METADATA = {"title": "test", "levels": [{"level": 1, "psnr": 21.5, "ssim": 0.8}]}
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(60)


@pytest.fixture(scope="module")
def data(coded):
    return encode(coded, METADATA)


def decoded(data, **options):
    decoder = ProgressiveDecoder(**options)
    decoder.feed(data)
    decoder.finish()
    return decoder


def expected_integers(coded, level):
    """The rules of entropy/symbols.py, applied plainly."""
    F, K = coded.config.feature_dim, coded.config.num_offsets
    features, scaling = np.zeros((0, F), int), np.zeros((0, 6), int)
    mask, offsets = np.zeros((0, K), bool), np.zeros((0, K, 3), int)
    for symbols in coded.levels[:level]:
        old, new = len(mask), len(symbols.positions)
        features = 3 * features + symbols.feature_trits.astype(int) - 1
        scaling = 3 * scaling + symbols.scaling_trits.astype(int) - 1
        features = np.concatenate([features, symbols.features])
        scaling = np.concatenate([scaling, symbols.scaling])
        fresh = symbols.gaussian_mask.copy()
        fresh[:old] &= ~mask
        offsets = np.concatenate([offsets, np.zeros((new, K, 3), int)])
        offsets[fresh] = symbols.offsets
        mask = symbols.gaussian_mask
    return features, scaling, mask, offsets


@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize("num_levels", [1, 2, 4])
def test_codec_any_level_returns_the_encoders_integers(num_levels, head):
    coded = synthetic_model(80, config=small_config(num_levels, head), seed=num_levels)
    decoder = decoded(encode(coded, {}))
    assert decoder.complete
    for level in range(1, num_levels + 1):
        canvas = decoder.canvas(level)
        wanted = expected_integers(coded, level)
        for found, array in zip(
            (canvas.features, canvas.scaling, canvas.mask_level > 0, canvas.offsets),
            wanted,
            strict=True,
        ):
            assert np.array_equal(found, array)
        positions = np.concatenate([s.positions for s in coded.levels[:level]])
        assert np.array_equal(canvas.positions, positions)


def test_codec_prefix_of_level_equals_whole_file_at_level(data):
    whole = decoded(data)
    for record in whole.table.levels:
        prefix = ProgressiveDecoder()
        prefix.feed(data[: record.end])
        prefix.finish()
        assert prefix.levels_ready == record.level
        assert prefix.digest(record.level) == whole.digest(record.level) == record.digest


def test_codec_networks_and_facts_come_back(coded, data):
    decoder = decoded(data)
    assert decoder.config == coded.config
    assert decoder.metadata == METADATA
    assert decoder.voxel_size == coded.voxel_size
    assert np.array_equal(decoder.camera_centres, coded.camera_centres)
    assert decoder.head.distance_unit == coded.head.distance_unit
    assert np.array_equal(decoder.head.color_out.weight, coded.head.color_out.weight)
    assert np.array_equal(decoder._model.hash_grid.signs, coded.hash_grid.signs)
    for name in ("hash_gain", "scaling_trit_gain"):
        wanted = getattr(coded.context, name).copy()
        if name != "hash_gain":
            wanted[0] = 0  # row of level 1 is unused and not stored
        assert np.array_equal(getattr(decoder._model.context, name), wanted)


def test_anchors_are_dequantized_in_world_units(coded, data):
    decoder = decoded(data)
    anchors, canvas = decoder.anchors(2), decoder.canvas(2)
    assert len(anchors) == len(canvas.positions)
    assert anchors.positions.dtype == np.float32
    np.testing.assert_allclose(anchors.positions, canvas.positions * coded.voxel_size, rtol=1e-6)
    steps = canvas.context.steps
    np.testing.assert_allclose(
        anchors.features, canvas.features * steps.feature[:, None] / 3, rtol=1e-6
    )
    assert anchors.scaling.min() > 0
    assert not anchors.offsets[~anchors.gaussian_mask].any()
    assert anchors.num_gaussians == int(coded.levels[1].gaussian_mask.sum())


@pytest.mark.filterwarnings("ignore")
def test_backends_write_identical_files(coded, data):
    for backend in (EntropyBackend.NUMPY, EntropyBackend.TORCHAC):
        if backend is EntropyBackend.TORCHAC:
            pytest.importorskip("torchac", exc_type=(ImportError, RuntimeError))
        assert encode(coded, METADATA, backend=backend) == data


def test_backends_decode_same_digests(data):
    plain = decoded(data, backend=EntropyBackend.NUMPY)
    fast = decoded(data, backend=best_backend())
    assert [plain.digest(s) for s in (1, 2, 3)] == [fast.digest(s) for s in (1, 2, 3)]


@pytest.mark.parametrize("piece", [1, 7, 100, 4096])
def test_feed_any_split_decodes_same(data, piece):
    decoder = ProgressiveDecoder()
    for begin in range(0, len(data), piece):
        decoder.feed(data[begin : begin + piece])
    decoder.finish()
    assert decoder.digest(3) == decoded(data).digest(3)


def test_feed_every_truncation_gives_exactly_the_complete_levels(data):
    decoder, ends = ProgressiveDecoder(), [r.end for r in decoded(data).table.levels]
    for length in range(1, len(data) + 1):
        decoder.feed(data[length - 1 : length])
        ready = sum(end <= length for end in ends)
        assert decoder.levels_ready == ready
        if length in ends:
            decoder.finish()
        else:
            with pytest.raises(TruncatedError, match="file ends at byte"):
                decoder.finish()


def test_feed_bytes_after_the_end_raise(data):
    with pytest.raises(MalformedError, match="foreign tail"):
        ProgressiveDecoder().feed(data + b"\0")


def test_decoder_before_networks_says_that_more_is_needed():
    decoder = ProgressiveDecoder()
    assert decoder.header is None
    assert decoder.levels_ready == 0
    for question in (lambda: decoder.head, lambda: decoder.anchors(1)):
        with pytest.raises(TruncatedError, match="feed more bytes"):
            question()


@pytest.mark.parametrize("level", [0, 4, -1])
def test_anchors_impossible_level_raises(data, level):
    with pytest.raises(ConfigError, match=r"wanted 1\.\.3"):
        decoded(data).anchors(level)


def test_decode_file_first_level_skips_the_rest(tmp_path, data):
    path = tmp_path / "scene.pcgs"
    end = decoded(data).table.levels[0].end
    path.write_bytes(data[:end] + bytes(len(data) - end))  # later levels are damaged
    decoder = decode_file(path, 1)
    assert decoder.levels_ready == 1
    assert decoder.digest(1) == decoded(data).digest(1)
    path.write_bytes(data[: end - 1])
    with pytest.raises(TruncatedError, match=f"wanted {end} for level 1"):
        decode_file(path, 1)


def test_encode_reports_progress_and_is_deterministic(coded, data):
    shares = []
    scene = encode_chunks(coded, on_progress=shares.append)
    assert shares == [1 / 3, 2 / 3, 1.0]
    assert scene.to_bytes(METADATA) == data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"features": s.features[:, 1:]}, "features has shape"),
        (lambda s: {"positions": s.positions[::-1].copy()}, "coding order"),
        (lambda s: {"offsets": s.offsets[1:]}, "wanted"),
        (lambda s: {"gaussian_mask": s.gaussian_mask & False}, "OFFSETS"),
    ],
)
def test_encode_contradicting_symbols_raise(coded, change, message):
    first = replace(coded.levels[0], **change(coded.levels[0]))
    with pytest.raises(ConfigError, match=message):
        encode(replace(coded, levels=(first, *coded.levels[1:])), {})


def test_encode_shrinking_mask_raises(coded):
    second = coded.levels[1]
    shrunk = replace(second, gaussian_mask=second.gaussian_mask & False)
    with pytest.raises(ConfigError, match="shrinks"):
        encode(replace(coded, levels=(coded.levels[0], shrunk, coded.levels[2])), {})


def test_encode_weights_beyond_float16_raise(coded):
    gain = coded.context.hash_gain.copy()
    gain[0, 0] = 0.1  # not a float16
    with pytest.raises(ConfigError, match="float16"):
        encode(replace(coded, context=replace(coded.context, hash_gain=gain)), {})


def test_encode_negative_scaling_symbol_raises(coded):
    scaling = coded.levels[0].scaling.copy()
    scaling[0, 0] = -1
    first = replace(coded.levels[0], scaling=scaling)
    with pytest.raises(MalformedError, match="at least 0"):
        encode(replace(coded, levels=(first, *coded.levels[1:])), {})


def test_zero_scaling_symbol_is_read_as_a_quarter_step(coded):
    scaling = coded.levels[0].scaling.copy()
    scaling[0] = [0, 1, 2, 3, 4, 5]
    first = replace(coded.levels[0], scaling=scaling)
    decoder = ProgressiveDecoder()
    decoder.feed(encode(replace(coded, levels=(first, *coded.levels[1:])), {}))
    values = decoder.anchors(1).scaling[0]
    np.testing.assert_allclose(values / values[1], [0.25, 1, 2, 3, 4, 5], rtol=1e-6)


def test_codec_level_without_new_anchors_round_trips(coded):
    second = coded.levels[1]
    old = len(second.feature_trits)
    mask = second.gaussian_mask[:old] | coded.levels[0].gaussian_mask
    empty = replace(
        second,
        positions=second.positions[:0],
        gaussian_mask=mask,
        features=second.features[:0],
        scaling=second.scaling[:0],
        offsets=np.zeros((int((mask & ~coded.levels[0].gaussian_mask).sum()), 3), np.int32),
    )
    config = replace(coded.config, num_levels=2)
    context = replace(
        coded.context,
        hash_gain=coded.context.hash_gain[:2],
        feature_trit_gain=coded.context.feature_trit_gain[:2],
        scaling_trit_gain=coded.context.scaling_trit_gain[:2],
    )
    model = replace(coded, config=config, context=context, levels=(coded.levels[0], empty))
    assert decoded(encode(model, {})).canvas(2).counts == (old, old)


CHILD = """
import sys
for name in ("torch", "numba", "scipy", "cv2", "PIL"):
    sys.modules[name] = None
from pathlib import Path
from pcgs_engine.codec import decode_file
decoder = decode_file(Path(sys.argv[1]))
sys.stdout.write(" ".join(decoder.digest(s).hex() for s in (1, 2, 3)))
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Prescott"},
        {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"},
    ],
)
def test_decoder_without_torch_on_other_kernels_gives_same_digests(tmp_path, variables):
    coded = synthetic_model(1500, seed=5)
    path = tmp_path / "scene.pcgs"
    path.write_bytes(encode(coded, {}))
    here = decode_file(path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        env={**os.environ, **variables, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [here.digest(s).hex() for s in (1, 2, 3)], done.stderr
