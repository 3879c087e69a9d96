"""Mask laws: implied last bits, classes, the network in plain integers, logarithms in integers."""

import numpy as np
import pytest
from laws import TABLES

from pcgs_engine.entropy import mask_law
from pcgs_engine.entropy.ideal_bits import ideal_bits
from pcgs_engine.entropy.mask_law import (
    STATIC_CLASSES,
    MaskAnchors,
    MaskCoder,
    MaskNet,
    NetMaskLaw,
    StaticMaskLaw,
    fit_static_law,
    mask_inputs,
)

K, F = 4, 5


def anchors_of(before, new):
    """Old anchors with what they had before, then new ones."""
    none = np.zeros((new, K), dtype=np.bool_)
    unset = ~np.concatenate([before, none])
    inputs = np.random.default_rng(2).integers(-127, 128, (new, 9 + F)).astype(np.float32)
    return MaskAnchors(unset=unset, old=len(before), inputs=inputs)


def fresh_of(anchors, share=0.4, seed=0):
    """Random new bits: never where set before, at least one at every new anchor."""
    rng = np.random.default_rng(seed)
    fresh = (rng.random(anchors.unset.shape) < share) & anchors.unset
    new = np.arange(anchors.old, len(fresh))
    fresh[new, rng.integers(0, K, len(new))] = True
    return fresh


def half_law():
    return StaticMaskLaw(np.full(STATIC_CLASSES, 1 << 15, dtype=np.int64))


def walked(anchors, law, fresh):
    """Give a coder the bits it asks for; return it and the bits of each pass."""
    coder, asked = MaskCoder(anchors, law), []
    for k in range(fresh.shape[1]):
        counts = coder.coded(k)
        rows = np.flatnonzero(counts)
        assert counts.max(initial=0) <= 1
        assert coder.distribution(k).count == len(rows)
        coder.take(k, fresh[rows, k].astype(np.int32))
        asked.append(rows)
    return coder, asked


@pytest.fixture
def anchors():
    before = np.random.default_rng(1).random((60, K)) < 0.5
    return anchors_of(before, 80)


def test_coder_rebuilds_all_bits_and_asks_only_what_is_open(anchors):
    fresh = fresh_of(anchors)
    coder, asked = walked(anchors, half_law(), fresh)
    assert np.array_equal(coder.fresh, fresh)
    for k in range(K):
        assert anchors.unset[asked[k], k].all()
        closed = np.setdiff1d(np.flatnonzero(anchors.unset[:, k]), asked[k])
        if k < K - 1:
            assert len(closed) == 0
        else:  # implied: new, and nothing set before
            assert (closed >= anchors.old).all()
            assert not fresh[closed, : K - 1].any()
            assert len(closed) > 0


def test_last_bit_of_an_old_anchor_is_never_implied():
    anchors = anchors_of(np.zeros((3, K), dtype=np.bool_), 0)
    coder, asked = walked(anchors, half_law(), np.zeros((3, K), dtype=np.bool_))
    assert [len(rows) for rows in asked] == [3] * K
    assert not coder.fresh.any()


def test_only_gaussian_of_a_new_anchor_costs_nothing():
    anchors = MaskAnchors(
        unset=np.ones((5, 1), dtype=np.bool_), old=0, inputs=np.zeros((5, 9), dtype=np.float32)
    )
    coder, asked = walked(anchors, half_law(), np.ones((5, 1), dtype=np.bool_))
    assert len(asked[0]) == 0
    assert coder.fresh.all()


def test_static_classes_follow_the_format(anchors):
    law, fresh = half_law(), fresh_of(anchors)
    coder = MaskCoder(anchors, law)
    for k in range(K):
        rows = np.flatnonzero(coder.coded(k))
        index = coder.distribution(k).index
        for row, found in zip(rows.tolist(), index.tolist(), strict=True):
            so_far = int(fresh[row, :k].sum())
            wanted = min(so_far, 3)
            if row < anchors.old:
                present = int((~anchors.unset[row]).sum())
                wanted = 4 + 3 * min(present, 5) + min(so_far, 2)
            assert found == wanted
        coder.take(k, fresh[rows, k].astype(np.int32))


def test_fitted_static_law_measures_each_class(anchors):
    fresh = fresh_of(anchors, share=0.2)
    law = StaticMaskLaw(fit_static_law(anchors, fresh))
    one, two = (bits_of(anchors, some, fresh) for some in (law, half_law()))
    assert one < 0.9 * two
    # No other probability of a class is better.
    fitted = fit_static_law(anchors, fresh)
    for place in range(4):
        for factor in (0.9, 1.1):
            other = fitted.copy()
            other[place] = np.clip(other[place] * factor, 1, 65535)
            assert bits_of(anchors, StaticMaskLaw(other), fresh) >= one - 0.01


def bits_of(anchors, law, fresh):
    coder, bits = MaskCoder(anchors, law), 0.0
    for k in range(K):
        rows = np.flatnonzero(coder.coded(k))
        symbols = fresh[rows, k].astype(np.int32)
        bits += ideal_bits(coder.distribution(k), symbols)
        coder.take(k, symbols)
    return bits


def some_net(*, wide, per_bit, width=6, seed=0, limit=128):
    rng = np.random.default_rng(seed)

    def small(*shape):
        return rng.integers(-limit, limit, shape).astype(np.int8)

    return MaskNet(
        base=small(K, 4),
        bias=small(width),
        input_weight=small(width, 9 + F if wide else 9),
        bit_weight=small(K, width),
        count_weight=small(4, width),
        out_weight=small(K if per_bit else 1, width),
    )


def plain_probability(net, x, k, so_far):
    """FORMAT.md §8.4 with Python's integers."""
    c, I = min(so_far, 3), net.input_weight.shape[1]  # noqa: E741 - as in the format
    z = 0
    for w in range(len(net.bias)):
        total = sum(int(net.input_weight[w, i]) * int(x[i]) for i in range(I))
        extra = int(net.bias[w]) + int(net.bit_weight[k, w]) + int(net.count_weight[c, w])
        h = min(max((total + 32 * extra) >> 3, 0), 255)
        row = k if len(net.out_weight) > 1 else 0
        z += int(net.out_weight[row, w]) * h
    logit = 2 * int(net.base[k, c]) + (z >> 4)
    return int(TABLES.bit_zero[min(max(logit, -255), 255) + 255])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("per_bit", [False, True])
@pytest.mark.parametrize("limit", [9, 128])
def test_net_law_equals_plain_integers(wide, per_bit, limit, monkeypatch):
    monkeypatch.setattr(mask_law, "BLOCK", 16)
    anchors = anchors_of(np.zeros((0, K), dtype=np.bool_), 50)
    net = some_net(wide=wide, per_bit=per_bit, limit=limit)
    fresh, law = fresh_of(anchors), NetMaskLaw(net, TABLES)
    coder, seen = MaskCoder(anchors, law), set()
    for k in range(K):
        rows = np.flatnonzero(coder.coded(k))
        found = coder.distribution(k)
        zero = found.tables[found.index, 1]
        for row, probability in zip(rows.tolist(), zero.tolist(), strict=True):
            so_far = int(fresh[row, :k].sum())
            assert probability == plain_probability(net, anchors.inputs[row], k, so_far)
        seen |= set(zero.tolist())
        coder.take(k, fresh[rows, k].astype(np.int32))
    assert len(seen) > 10


def test_inputs_are_logarithms_steps_and_symbols_in_range():
    scaling = np.array([[0, 1, 2, 4, 40, 2**24], [-5, 3, 5, 100, 5000, 2**30]], dtype=np.int32)
    features = np.array([[0, 1, -7, 8, 2**24], [-1, -8, 7, 0, -(2**24)]], dtype=np.int32)
    steps = np.array([[0, 255, -255], [1, -127, 128]], dtype=np.int16)
    found = mask_inputs(features, scaling, steps)
    assert found.shape == (2, 14)
    assert found.dtype == np.float32
    wanted = np.clip(32 * np.log2(4.0 * np.maximum(scaling, 0) + 1) - 128, -127, 127)
    assert np.abs(found[:, :6] - wanted).max() < 3.5  # piecewise linear
    assert found[:, 6:9].tolist() == [[0, 127, -127], [1, -127, 127]]
    assert found[:, 9:].tolist() == [[0, 16, -112, 112, 112], [-16, -112, 112, 0, -112]]


def test_logarithms_are_those_of_the_format():
    values = np.concatenate([np.arange(3000), 2 ** np.arange(12, 31) // 4 - 1])
    scaling = np.repeat(values.astype(np.int32)[:, None], 6, axis=1)
    none = np.zeros((len(values), 0), dtype=np.int32)
    found = mask_inputs(none, scaling, np.zeros((len(values), 3), dtype=np.int16))[:, 0]
    for value, units in zip(values.tolist(), found.tolist(), strict=True):
        m = 4 * max(value, 0) + 1
        e = m.bit_length() - 1
        ilog = 32 * e + ((m << 5) >> e) - 32
        assert units == min(max(ilog - 128, -127), 127)
