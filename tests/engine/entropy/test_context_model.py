"""Context model: steps, networks near their float originals, rows that do not see each other."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import VOXEL_SIZE, _context, small_config, synthetic_model

from pcgs_engine.entropy.backend import EntropyBackend
from pcgs_engine.entropy.context_model import LENGTH_UNIT_VOXELS, STEP_FLOOR, ContextModel
from pcgs_engine.entropy.level_distributions import LevelDistributions, context_rows, level_step
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.levels.calibrate import CalibrationAnchors, calibrate_context

COUNT = 400
BACKENDS = pytest.mark.parametrize("backend", [EntropyBackend.NUMPY, None])


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(COUNT, seed=1)


def model_of(coded, **changes):
    return ContextModel(
        config=coded.config,
        voxel_size=coded.voxel_size,
        hash_grid=coded.hash_grid,
        context=replace(coded.context, **changes),
        tables=load_tables(),
    )


@pytest.mark.parametrize(
    ("output", "ratio"), [(-40.0, STEP_FLOOR), (0.0, 1.0), (40.0, 2.0), (0.5, 1.46211716)]
)
def test_steps_follow_their_outputs_between_floor_and_double(coded, output, ratio):
    net = coded.context.step
    fixed = replace(
        net,
        out_weight=np.zeros_like(net.out_weight),
        out_bias=np.full(3, round(output * 1024), dtype=np.int32),
        out_scale=np.full(3, 2.0**-10, dtype=np.float32),
    )
    model = model_of(coded, step=fixed)
    found = model.anchor_context(coded.anchors.positions)
    wanted = max(ratio, STEP_FLOOR)
    assert (found.step_index == np.clip(round(64 * output), -255, 255)).all()
    for steps, base in (
        (found.steps.feature, model.config.feature_step),
        (found.steps.scaling, model.config.scaling_step * VOXEL_SIZE),
        (found.steps.offset, model.config.offset_step),
    ):
        assert steps.dtype == np.float32
        np.testing.assert_allclose(steps, wanted * base, rtol=1e-3 if abs(output) == 40 else 1e-6)


def float_net(hidden, out, inputs, gain, slope):
    units = (inputs @ hidden.weight.T.astype(float) + hidden.bias) * gain
    return np.where(units < 0, slope * units, units) @ out.weight.T.astype(float) + out.bias


@pytest.fixture(scope="module", params=[1.0, -1.0])
def twins(coded, request):
    """Float networks, also with gains of both signs, and the model calibrated from them."""
    config, unit = small_config(), LENGTH_UNIT_VOXELS * VOXEL_SIZE
    weights = _context(np.random.default_rng(7), config)
    gains = weights.hash_gain.copy()
    gains[:, ::2] *= request.param
    weights = replace(weights, hash_gain=gains)
    plain = model_of(coded)
    known = plain.anchor_context(coded.anchors.positions)
    depth = coded.anchors.first_level[:, None] * 0 + 2
    sample = CalibrationAnchors(
        hash_features=known.hash_features / 512.0,
        features=coded.anchors.features * known.steps.feature[:, None] / 3.0**depth,
        scaling=np.maximum(coded.anchors.scaling, 1) * known.steps.scaling[:, None] / 9 / unit,
    )
    context = calibrate_context(weights, config, sample, unit, 127)
    return weights, sample, replace(plain, context=context), unit


def assert_near(found, wanted):
    """Within what 8 bits of few weights give, against the spread of each output."""
    spread = wanted.std(axis=0) + 0.05 * np.abs(wanted).mean(axis=0) + 1e-9
    error = np.abs(found - wanted) / spread
    assert np.median(error) < 0.03
    assert np.quantile(error, 0.99) < 0.16


@pytest.mark.parametrize("level", [1, 2, 3])
def test_hash_net_is_near_the_float_one_at_its_level(twins, level):
    weights, sample, model, unit = twins
    hidden, out, gain = weights.hash_hidden, weights.hash_out, weights.hash_gain
    wanted = float_net(hidden, out, sample.hash_features, gain[level - 1], 0.0)
    wanted[:, 3 * model.config.feature_dim :] *= unit
    features = np.rint(sample.hash_features * 512).astype(np.int16)
    found = model.hash_net(features, level)
    assert_near(found, wanted)
    other = float_net(hidden, out, sample.hash_features, gain[level % 3], 0.0)
    assert np.median(np.abs(other - wanted)) > 3 * np.median(np.abs(found - wanted))


def test_offset_and_channel_nets_are_near_the_float_ones(twins):
    weights, sample, model, _ = twins
    features = np.rint(sample.hash_features * 512).astype(np.int16)
    wanted = float_net(weights.offset_hidden, weights.offset_out, sample.hash_features, 1.0, 0.01)
    assert_near(model.offset_net(features), wanted)
    F, C = model.config.feature_dim, model.config.chunk_dim
    params = float_net(
        weights.hash_hidden, weights.hash_out, sample.hash_features, weights.hash_gain[0], 0.0
    )[:, : 3 * F]
    laws = LevelDistributions(model=model, level=1).features(
        model.anchor_context(np.zeros((0, 3), np.int32))
    )
    assert laws.group(0).count == 0
    inputs = model.channel_inputs(model.hash_net(features, 1))
    for chunk in range(3):
        known = np.concatenate([sample.features[:, : chunk * C], params], axis=1)
        hidden, out = weights.channel_hidden[chunk], weights.channel_out[chunk]
        assert_near(model.channel_net(inputs, chunk), float_net(hidden, out, known, 1.0, 0.01))
        scale = model.context.feature_input[chunk * C : (chunk + 1) * C]
        own = np.clip(np.rint(sample.features[:, chunk * C : (chunk + 1) * C] * scale), -1023, 1023)
        inputs[:, 3 * F + chunk * C : 3 * F + (chunk + 1) * C] = own


@pytest.mark.parametrize("level", [2, 3])
def test_trit_nets_are_near_the_float_ones(twins, level):
    weights, sample, model, unit = twins
    features = np.rint(sample.hash_features * 512).astype(np.int16)
    for name, coarse, scale in (
        ("feature", sample.features, 1.0),
        ("scaling", sample.scaling, unit),
    ):
        inputs = np.concatenate([sample.hash_features, coarse], axis=1)
        hidden, out = (getattr(weights, f"{name}_trit_{part}") for part in ("hidden", "out"))
        gain = getattr(weights, f"{name}_trit_gain")[level - 1]
        net = getattr(model, f"{name}_trit_logits")
        found = net(features, (coarse * scale).astype(np.float32), level)
        assert found.shape == (COUNT, coarse.shape[1], 3)
        wanted = float_net(hidden, out, inputs, gain, 0.0)
        # The tail of coarse scalings is clipped: it is long, and its trits are few.
        rows = (np.abs(coarse) <= np.quantile(np.abs(coarse), 0.98, axis=0)).all(axis=1)
        assert_near(found.reshape(COUNT, -1)[rows], wanted[rows])


@BACKENDS
def test_rows_alone_are_their_rows_of_the_batch_bit_for_bit(coded, backend):
    model = replace(model_of(coded), backend=backend)
    whole = model.anchor_context(coded.anchors.positions)
    rows = slice(7, 12)
    some = model.anchor_context(coded.anchors.positions[rows])
    part = context_rows(whole, rows)
    for name in ("hash_features", "step_index"):
        assert np.array_equal(getattr(some, name), getattr(part, name))
    for name in ("feature", "scaling", "offset"):
        assert np.array_equal(getattr(some.steps, name), getattr(part.steps, name))
    one, two = model.hash_net(whole.hash_features, 2)[rows], model.hash_net(some.hash_features, 2)
    assert np.array_equal(one, two)
    coarse = np.random.default_rng(0).normal(0, 2, (COUNT, 6)).astype(np.float32)
    for net in (model.feature_trit_logits, model.scaling_trit_logits):
        batch = net(whole.hash_features, coarse, 3)[rows]
        assert np.array_equal(batch, net(some.hash_features, coarse[rows], 3))


def law_arrays(model, coded, level):
    """All integers of the laws of a level, as the coder takes them."""
    context = model.anchor_context(coded.anchors.positions)
    distributions = LevelDistributions(model=model, level=level)
    laws, found = distributions.features(context), []
    symbols = coded.anchors.features // 9
    for chunk in range(3):
        law = laws.group(chunk)
        found += [law.mean, law.scale, law.weight]
        laws.know(chunk, symbols[:, 2 * chunk : 2 * chunk + 2])
    for law in (laws.scaling_law, distributions.offsets(context, coded.anchors.mask_level > 0)):
        found += [law.mean, law.scale]
    return found


@pytest.mark.parametrize("level", [1, 3])
def test_library_and_numpy_give_the_same_laws(coded, level):
    one, two = (
        law_arrays(replace(model_of(coded), backend=backend), coded, level)
        for backend in (EntropyBackend.NUMPY, None)
    )
    assert len(one) == 13
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a, b)


def test_later_groups_see_the_earlier_ones(coded):
    model = model_of(coded)
    context = model.anchor_context(coded.anchors.positions)
    found = []
    for value in (0, 5):
        laws = LevelDistributions(model=model, level=1).features(context)
        first = laws.group(0).mean.copy()
        laws.know(0, np.full((COUNT, 2), value, dtype=np.int32))
        found.append((first, laws.group(1).mean[1]))
    assert np.array_equal(found[0][0], found[1][0])
    assert not np.array_equal(found[0][1], found[1][1])


def test_level_step_is_a_single_division():
    steps = np.float32([1.0, 0.7, 1e-9, 123.0])
    for depth in (0, 1, 15):
        wanted = (steps.astype(np.float64) / 3**depth).astype(np.float32)
        assert np.array_equal(level_step(steps, depth), wanted)


def test_offsets_are_asked_in_order_of_anchor_and_gaussian(coded):
    model = model_of(coded)
    context = model.anchor_context(coded.anchors.positions)
    distributions = LevelDistributions(model=model, level=1)
    every = np.ones((COUNT, 3), dtype=np.bool_)
    chosen = np.random.default_rng(0).random((COUNT, 3)) < 0.3
    whole = distributions.offsets(context, every).mean[0].reshape(COUNT, 3, 3)
    found = distributions.offsets(context, chosen)
    assert np.array_equal(found.mean[0], whole[chosen].ravel())
    assert distributions.offsets(context, every & False).count == 0
