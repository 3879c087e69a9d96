"""NETW, TNET, GAIN and HEAD: round trips, sums that are not exact, scales out of range, damage."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import small_config, synthetic_model

from pcgs_engine.bitstream import DecodeLimits
from pcgs_engine.codec import ProgressiveDecoder, encode
from pcgs_engine.codec import net_chunk as chunk
from pcgs_engine.codec.net_layout import NetShape, context_nets, head_layers, trit_nets
from pcgs_engine.entropy.bfloat16 import round_bfloat16
from pcgs_engine.entropy.weights import IntegerNet
from pcgs_engine.errors import BitstreamError, ConfigError, LimitExceededError, MalformedError

SHAPES = (
    NetShape(name="one", inputs=4, hidden=3, outputs=2, leaky=True),
    NetShape(name="two", inputs=5, hidden=2, outputs=6, modulated=True),
)
INPUTS = np.array([1.0, 2.0, 0.5, 2.0**-60], dtype=np.float32)
LIMITS = DecodeLimits()


def scales(rng, *shape):
    return round_bfloat16(rng.uniform(1e-6, 1e6, shape).astype(np.float32))


def nets(levels=3):
    rng = np.random.default_rng(0)
    return [
        IntegerNet(
            hidden_weight=rng.integers(-127, 128, (shape.hidden, shape.inputs)).astype(np.int8),
            hidden_bias=rng.integers(-(2**21), 2**21, shape.hidden).astype(np.int32),
            multiplier=scales(rng, levels if shape.modulated else 1, shape.hidden),
            leaky=shape.leaky,
            out_weight=rng.integers(-127, 128, (shape.outputs, shape.hidden)).astype(np.int8),
            out_bias=rng.integers(-(2**21), 2**21, shape.outputs).astype(np.int32),
            out_scale=scales(rng, shape.outputs),
        )
        for shape in SHAPES
    ]


def packed(some=None, inputs=INPUTS):
    return chunk.pack_nets("NETW", nets() if some is None else some, SHAPES, inputs)


def unpacked(data, inputs=4):
    return chunk.unpack_nets("NETW", data, SHAPES, inputs, LIMITS, 3)


def test_nets_come_back_but_for_multipliers_that_levels_bring():
    found, inputs = unpacked(packed())
    assert np.array_equal(inputs, INPUTS)
    for one, two in zip(nets(), found, strict=True):
        for name in ("hidden_weight", "hidden_bias", "out_weight", "out_bias", "out_scale"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
            assert getattr(one, name).dtype == getattr(two, name).dtype
        assert one.leaky == two.leaky
    assert np.array_equal(found[0].multiplier, nets()[0].multiplier)
    assert np.array_equal(found[1].multiplier, np.zeros((3, 2)))


def test_size_before_zlib_is_the_stated_one():
    layers = [layer for shape in SHAPES for layer in shape.layers]
    count = (3 + 2) + 6 + 4
    assert len(zlib.decompress(packed())) == chunk.packed_size(layers, count)


def with_first(**changes):
    one, two = nets()
    return [replace(one, **changes), two]


@pytest.mark.parametrize("layer", ["hidden", "out"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sum_beyond_24_bits_is_refused_by_writer_and_reader(layer, sign, monkeypatch):
    one = nets()[0]
    weight = getattr(one, f"{layer}_weight")
    room = 2**24 - 1023 * int(np.abs(weight[1].astype(int)).sum())
    bias = getattr(one, f"{layer}_bias").copy()
    bias[1] = sign * room
    exact = with_first(**{f"{layer}_bias": bias})
    unpacked(packed(exact))
    bias = bias.copy()
    bias[1] += sign
    crafted = with_first(**{f"{layer}_bias": bias})
    name = {"hidden": "hidden", "out": "output"}[layer]
    message = f"one.*: a sum of the {name} layer can reach 16777217, wanted at most 16777216"
    with pytest.raises(ConfigError, match=message):
        packed(crafted)
    monkeypatch.setattr(chunk, "check_net", lambda name, net: None)
    data = packed(crafted)
    monkeypatch.undo()
    with pytest.raises(MalformedError, match=message):
        unpacked(data)


def test_bias_of_the_lowest_integer_is_refused(monkeypatch):
    crafted = with_first(hidden_bias=np.full(3, -(2**31), dtype=np.int32))
    monkeypatch.setattr(chunk, "check_net", lambda name, net: None)
    data = packed(crafted)
    monkeypatch.undo()
    with pytest.raises(MalformedError, match="can reach 2147"):
        unpacked(data)


BAD_SCALES = [0.0, -1.0, np.inf, np.nan, 2.0**61, 2.0**-61]


@pytest.mark.parametrize("value", [*BAD_SCALES, 0.1])  # 0.1 is no bfloat16
@pytest.mark.parametrize("name", ["out_scale", "multiplier"])
def test_writer_refuses_scales_that_are_not_bfloat16_in_range(value, name):
    array = getattr(nets()[0], name).copy()
    array.flat[0] = value
    with pytest.raises(ConfigError, match="NETW: a scale is not a bfloat16"):
        packed(with_first(**{name: array}))


def with_last_scale(data, count, value):
    """Overwrite the last of `count` scales at the end of a chunk."""
    raw = bytearray(zlib.decompress(data))
    raw[-count - 1], raw[-1] = np.float32(value).tobytes()[2:]
    return zlib.compress(bytes(raw))


@pytest.mark.parametrize("value", BAD_SCALES)
def test_reader_refuses_scales_out_of_range(value):
    with pytest.raises(MalformedError, match="NETW: a scale is not in"):
        unpacked(with_last_scale(packed(), 3 + 2 + 6 + 4, value))
    gains = with_last_scale(chunk.pack_scales("GAIN", [np.ones(4, dtype=np.float32)]), 4, value)
    if value in (0.0, -1.0):
        assert chunk.unpack_scales("GAIN", gains, [4])[0].tolist() == [1, 1, 1, value]
    else:
        with pytest.raises(MalformedError, match="GAIN: a scale is not 0 or of magnitude"):
            chunk.unpack_scales("GAIN", gains, [4])


def test_weight_of_minus_128_is_refused():
    raw = bytearray(zlib.decompress(packed()))
    raw[0] = 0x80
    with pytest.raises(MalformedError, match="a weight is -128"):
        unpacked(zlib.compress(bytes(raw)))


def test_gains_of_any_sign_come_back():
    rows = [np.array([1.5, -2.0, 0.0], dtype=np.float32), np.array([-0.25], dtype=np.float32)]
    found = chunk.unpack_scales("GAIN", chunk.pack_scales("GAIN", rows), [3, 1])
    assert all(np.array_equal(a, b) for a, b in zip(rows, found, strict=True))


def test_wrong_shape_or_number_of_nets_is_a_config_error():
    with pytest.raises(ConfigError, match="NETW: 1 networks, wanted 2"):
        packed(nets()[:1])
    with pytest.raises(ConfigError, match=r"one net is .*, wanted"):
        packed(with_first(hidden_weight=np.zeros((3, 5), dtype=np.int8)))
    with pytest.raises(ConfigError, match=r"one net is .*False"):
        packed(with_first(leaky=False))


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b"", bytes])
def test_damaged_chunk_raises(change):
    data = change(packed()) if change is not bytes else bytes(20)
    with pytest.raises(MalformedError, match="NETW"):
        unpacked(data)


@pytest.mark.parametrize("delta", [-1, 1])
def test_other_size_than_the_shapes_say_raises(delta):
    raw = zlib.decompress(packed()) + b"\0"
    with pytest.raises(MalformedError, match="NETW: zlib stream does not hold exactly"):
        unpacked(zlib.compress(raw[: len(raw) - 1 + delta]))


def test_more_weights_than_the_limit_raise_before_inflating():
    limits = DecodeLimits(weights=10)
    with pytest.raises(LimitExceededError, match="NETW: weights"):
        chunk.unpack_nets("NETW", b"", SHAPES, 4, limits, 3)
    with pytest.raises(LimitExceededError, match="HEAD: weights"):
        chunk.unpack_head(b"", head_layers(small_config()), limits)


def test_head_comes_back_and_is_checked():
    coded = synthetic_model(10)
    layers, shapes = coded.head.layers, head_layers(coded.config)
    found = chunk.unpack_head(chunk.pack_head(layers, shapes), shapes, LIMITS)
    for one, two in zip(layers, found, strict=True):
        for name in ("weight", "scale", "bias"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
    with pytest.raises(ConfigError, match="HEAD: 5 layers, wanted 6"):
        chunk.pack_head(layers[1:], shapes)
    with pytest.raises(ConfigError, match="HEAD: layer of shape"):
        chunk.pack_head((layers[1], *layers[1:]), shapes)
    for bias in (0.1, np.inf, np.nan):  # no finite float16
        wrong = replace(layers[0], bias=np.full_like(layers[0].bias, bias))
        with pytest.raises(ConfigError, match="HEAD: a bias is not a finite float16"):
            chunk.pack_head((wrong, *layers[1:]), shapes)


def test_layout_covers_all_nets_of_the_model():
    coded = synthetic_model(10)
    context = coded.context
    own = [context.first, context.step, context.offset, *context.channels]
    for net, shape in zip(own, context_nets(coded.config), strict=True):
        assert net.hidden_weight.shape == (shape.hidden, shape.inputs)
        assert net.out_weight.shape == (shape.outputs, shape.hidden)
    trits = (context.feature_trits, context.scaling_trits)
    for net, shape in zip(trits, trit_nets(coded.config), strict=True):
        assert net.hidden_weight.shape == (shape.hidden, shape.inputs)
        assert shape.modulated


@pytest.mark.parametrize("value", [2.0**60, 2.0**-60])
def test_extreme_scales_and_steps_decode_without_warnings(value):
    """Outputs far beyond any value are clipped, the same way everywhere."""
    coded = synthetic_model(30)
    context = coded.context

    def extreme(net):
        return replace(net, out_scale=np.full_like(net.out_scale, value))

    def widened(net):
        return replace(extreme(net), multiplier=np.full_like(net.multiplier, value))

    context = replace(
        context,
        first=widened(context.first), offset=widened(context.offset), step=widened(context.step),
        channels=tuple(widened(net) for net in context.channels),
        feature_trits=extreme(context.feature_trits), scaling_trits=widened(context.scaling_trits),
        feature_input=np.full_like(context.feature_input, value),
        parameter_input=np.full_like(context.parameter_input, value),
        scaling_input=np.full_like(context.scaling_input, value),
    )  # fmt: skip
    config = replace(coded.config, feature_step=1e-9, scaling_step=1e-9, offset_step=1e6)
    for sizes in (coded.config, config):
        decoder = ProgressiveDecoder()
        decoder.feed(encode(replace(coded, context=context, config=sizes), {}))
        assert decoder.complete


def test_flipped_bits_of_stored_networks_are_found_or_change_nothing():
    data = encode(synthetic_model(20), {})
    whole = ProgressiveDecoder()
    whole.feed(data)
    kinds = (b"NETW", b"GAIN", b"HEAD", b"TNET")
    places = [c for c in whole.table.chunks if c.code in kinds]
    assert len(places) == 6
    rng, refused = np.random.default_rng(0), 0
    for place in places:
        for at in rng.integers(place.offset, place.end, 12):
            broken = bytearray(data)
            broken[at] ^= 1 << int(rng.integers(8))
            decoder = ProgressiveDecoder(check_crcs=False)
            try:
                decoder.feed(bytes(broken))
            except BitstreamError:
                refused += 1
            else:  # fill bits of the zlib stream
                assert decoder.digest(3) == whole.digest(3)
    assert refused >= 0.9 * 72
