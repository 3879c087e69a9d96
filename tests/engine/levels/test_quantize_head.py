"""Attribute MLPs in int8: within half a unit of every row."""

import numpy as np

from pcgs_engine.entropy.bfloat16 import round_bfloat16
from pcgs_engine.entropy.weights import Dense, HeadWeights
from pcgs_engine.levels.quantize_head import quantize_head

NAMES = ("opacity_hidden", "opacity_out", "covariance_hidden", "covariance_out",
         "color_hidden", "color_out")  # fmt: skip


def head_of(rng):
    layers = {}
    for name in NAMES:
        weight = rng.normal(0, 10.0 ** rng.uniform(-4, 2, (9, 1)), (9, 12)).astype(np.float32)
        weight[0] = 0.0
        layers[name] = Dense(weight=weight, bias=rng.normal(0, 3, 9).astype(np.float32))
    return HeadWeights(**layers, distance_unit=2.5)


def test_every_weight_is_within_half_a_unit_of_its_row():
    head = head_of(np.random.default_rng(0))
    found = quantize_head(head)
    assert found.distance_unit == 2.5
    for name, layer in zip(NAMES, found.layers, strict=True):
        own = getattr(head, name)
        assert layer.weight.dtype == np.int8
        assert np.abs(layer.weight.astype(int)).max() == 127
        assert np.array_equal(round_bfloat16(layer.scale), layer.scale)
        error = np.abs(layer.dense().weight - own.weight)
        assert (error <= 0.5001 * layer.scale[:, None]).all()
        widest = np.abs(own.weight).max(axis=1)
        assert (layer.scale[1:] < 1.01 * widest[1:] / 127).all()
        assert np.array_equal(layer.bias, own.bias.astype(np.float16).astype(np.float32))


def test_weights_that_renderers_see_are_those_stored():
    found = quantize_head(head_of(np.random.default_rng(1)))
    seen = found.weights()
    for name, layer in zip(NAMES, found.layers, strict=True):
        weight = layer.weight.astype(np.float32) * layer.scale[:, None]
        assert np.array_equal(getattr(seen, name).weight, weight)
