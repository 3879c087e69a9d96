"""Models that contradict themselves are refused before a byte is written."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.codec import encode
from pcgs_engine.codec.check_model import check_model
from pcgs_engine.errors import ConfigError


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(60, mask_net=True)


def changed(array, place, value):
    copy = array.copy()
    copy[place] = value
    return copy


def last_first(array):
    return np.roll(array, 1, axis=0)


ANCHORS = [
    (lambda a: {"features": a.features[:, 1:]}, r"features has shape \(60, 5\), wanted \(60, 6\)"),
    (lambda a: {"scaling": a.scaling[1:]}, "scaling has shape"),
    (lambda a: {"offsets": a.offsets[:, :, :2]}, "offsets has shape"),
    (lambda a: {"mask_level": a.mask_level[:, :1]}, "mask_level has shape"),
    (lambda a: {"first_level": a.first_level[:-1]}, "first_level has shape"),
    (lambda a: {"first_level": last_first(a.first_level)}, "first levels do not rise"),
    (lambda a: {"first_level": a.first_level + 1}, "first levels do not rise from 1 to at most 3"),
    (lambda a: {"first_level": changed(a.first_level, 0, 0)}, "first levels do not rise"),
    (lambda a: {"mask_level": changed(a.mask_level, (0, slice(None)), 2)}, "first Gaussian"),
    (lambda a: {"mask_level": changed(a.mask_level, (-1, 0), 1)}, "first Gaussian"),
    (lambda a: {"mask_level": changed(a.mask_level, 5, 0)}, "first Gaussian"),
    (lambda a: {"mask_level": changed(a.mask_level, (0, 0), 4)}, r"mask level 4, wanted 0\.\.3"),
    (lambda a: {"scaling": changed(a.scaling, (3, 2), -1)}, "scaling symbol -1, wanted at least 0"),
    (lambda a: {"features": changed(a.features, 0, 2**24 + 1)}, "features: symbol of magnitude"),
    (lambda a: {"offsets": changed(a.offsets, 0, -(2**31))}, "offsets: .* 2147483648"),
    (lambda a: {"positions": a.positions[::-1].copy()}, "coding order"),
    (lambda a: {"positions": changed(a.positions, 1, a.positions[0])}, "distinct"),
]


@pytest.mark.parametrize(("change", "message"), ANCHORS)
def test_encode_contradicting_anchors_raise(coded, change, message):
    anchors = replace(coded.anchors, **change(coded.anchors))
    with pytest.raises(ConfigError, match=message):
        encode(replace(coded, anchors=anchors), {})


def test_encode_no_anchors_raises(coded):
    none = {name: getattr(coded.anchors, name)[:0] for name in coded.anchors.__slots__}
    with pytest.raises(ConfigError, match="no anchors"):
        check_model(replace(coded, anchors=replace(coded.anchors, **none)))


RANKINGS = [
    (lambda r: {"ranks": 0}, r"0 ranks, wanted 1\.\.16"),
    (lambda r: {"ranks": 17}, "17 ranks"),
    (lambda r: {"rank": r.rank[1:]}, "ranking of shapes"),
    (lambda r: {"gain": r.gain[:, :, :1]}, "ranking of shapes"),
    (lambda r: {"rank": changed(r.rank, 0, 2)}, "rank is too large"),
    (lambda r: {"gain": changed(r.gain, 0, np.nan)}, "not finite"),
]


@pytest.mark.parametrize(("change", "message"), RANKINGS)
def test_encode_contradicting_ranking_raises(coded, change, message):
    ranking = replace(coded.ranking, **change(coded.ranking))
    with pytest.raises(ConfigError, match=message):
        encode(replace(coded, ranking=ranking), {})


NETS = [
    lambda n: {"base": n.base[:, :3]},
    lambda n: {"input_weight": n.input_weight[:, :10]},
    lambda n: {"out_weight": n.out_weight[:2]},
    lambda n: {"bit_weight": n.bit_weight[1:]},
    lambda n: {"count_weight": n.count_weight[:, 1:]},
    lambda n: {name: getattr(n, name)[..., :0] for name in n.__slots__ if name != "base"},
]


@pytest.mark.parametrize("change", NETS)
def test_encode_mask_net_of_another_shape_raises(coded, change):
    net = replace(coded.mask_net, **change(coded.mask_net))
    with pytest.raises(ConfigError, match=r"mask net: \w+ has shape .*, wanted"):
        encode(replace(coded, mask_net=net), {})


def test_encode_mask_net_with_minus_128_raises(coded):
    net = replace(coded.mask_net, bias=changed(coded.mask_net.bias, 0, -128))
    with pytest.raises(ConfigError, match="bias holds -128"):
        encode(replace(coded, mask_net=net), {})


@pytest.mark.parametrize("value", [0.0, 1e-10, 2e9, float("nan")])
def test_encode_lengths_out_of_range_raise(coded, value):
    with pytest.raises(ConfigError, match="wanted 1e-09"):
        encode(replace(coded, voxel_size=value), {})
    with pytest.raises(ConfigError, match="wanted 1e-09"):
        encode(replace(coded, head=replace(coded.head, distance_unit=value)), {})


def test_encode_hash_grid_of_another_config_raises(coded):
    grid = replace(coded.hash_grid.config, features_per_level=1)
    with pytest.raises(ConfigError, match="another hash grid config"):
        encode(replace(coded, hash_grid=replace(coded.hash_grid, config=grid)), {})
    signs = changed(coded.hash_grid.signs, 0, 0)
    with pytest.raises(ConfigError, match="wanted ±1"):
        encode(replace(coded, hash_grid=replace(coded.hash_grid, signs=signs)), {})


def test_encode_missing_network_raises(coded):
    context = replace(coded.context, channels=coded.context.channels[1:])
    with pytest.raises(ConfigError, match="NETW: 5 networks, wanted 6"):
        encode(replace(coded, context=context), {})
    multiplier = coded.context.first.multiplier * np.float32(1.001)  # no bfloat16
    first = replace(coded.context.first, multiplier=multiplier)
    with pytest.raises(ConfigError, match="GAIN: a scale is not a bfloat16"):
        encode(replace(coded, context=replace(coded.context, first=first)), {})
