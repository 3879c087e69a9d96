"""Mask networks fitted at encode time: only where they pay, the same for the same seed."""

import numpy as np
import pytest

from pcgs_engine.entropy.ideal_bits import ideal_bits
from pcgs_engine.entropy.mask_law import (
    MaskAnchors,
    MaskCoder,
    NetMaskLaw,
    StaticMaskLaw,
    fit_static_law,
    mask_inputs,
)
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.levels import fit_mask_net as module
from pcgs_engine.levels.fit_mask_net import fit_mask_net

TABLES, K, F = load_tables(), 4, 6


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(module, "STEPS", 150)


def scene(count, told):
    """Masks that follow the first scaling where `told`, else nothing."""
    rng = np.random.default_rng(0)
    scaling = np.rint(rng.exponential(8, (count, 6))).astype(np.int32)
    features = np.rint(rng.normal(0, 3, (count, F))).astype(np.int32)
    steps = rng.integers(-60, 60, (count, 3)).astype(np.int16)
    share = np.where(scaling[:, :1] > 6, 0.9, 0.1) if told else 0.4
    masks = rng.random((count, K)) < share
    masks[np.arange(count), rng.integers(0, K, count)] = True
    return masks, mask_inputs(features, scaling, steps)


def bits_under(law, masks, inputs):
    anchors = MaskAnchors(unset=np.ones(masks.shape, np.bool_), old=0, inputs=inputs)
    law = law(anchors) if callable(law) else law
    coder, bits = MaskCoder(anchors, law), 0.0
    for k in range(K):
        rows = np.flatnonzero(coder.coded(k))
        symbols = masks[rows, k].astype(np.int32)
        bits += ideal_bits(coder.distribution(k), symbols)
        coder.take(k, symbols)
    return bits


def static(masks):
    return lambda anchors: StaticMaskLaw(fit_static_law(anchors, masks))


def test_net_beats_static_probabilities_where_inputs_tell():
    masks, inputs = scene(4000, told=True)
    net = fit_mask_net(masks, inputs, TABLES)
    assert net is not None
    found = bits_under(NetMaskLaw(net, TABLES), masks, inputs)
    assert found < 0.9 * bits_under(static(masks), masks, inputs)
    for name in ("base", "bias", "input_weight", "bit_weight", "count_weight", "out_weight"):
        assert getattr(net, name).dtype == np.int8
        assert getattr(net, name).min() >= -127
    assert net.bit_weight.shape[0] == K
    assert net.input_weight.shape[1] in (9, 9 + F)


def test_net_is_left_out_where_inputs_tell_nothing():
    assert fit_mask_net(*scene(400, told=False), TABLES) is None
    assert fit_mask_net(*scene(1, told=True), TABLES) is None


def test_same_seed_gives_the_same_net():
    case = scene(1500, told=True)
    one, two = (fit_mask_net(*case, TABLES, seed=3) for _ in range(2))
    assert one is not None
    for name in one.__slots__:
        assert np.array_equal(getattr(one, name), getattr(two, name))
