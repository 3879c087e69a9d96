"""Octree positions: lossless for any set of points, in Morton order, bounded on bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.bit_stream import decode_bits, encode_bits
from pcgs_engine.entropy.morton import morton_decode, morton_encode
from pcgs_engine.entropy.octree import decode_positions, encode_positions
from pcgs_engine.entropy.positions import coding_order
from pcgs_engine.entropy.varint import pack_varints, unpack_varints
from pcgs_engine.errors import BitstreamError, ConfigError, MalformedError

NUMPY = EntropyBackend.NUMPY


def ordered(points):
    unique = np.unique(np.asarray(points, dtype=np.int32).reshape(-1, 3), axis=0)
    return unique[coding_order(unique)]


def cloud(count, seed=0, spread=400):
    rng = np.random.default_rng(seed)
    return ordered(rng.normal(0, spread, (count, 3)).astype(np.int32))


@settings(max_examples=40, deadline=None)
@given(
    points=hnp.arrays(
        np.int32, st.tuples(st.integers(0, 40), st.just(3)), elements=st.integers(-3000, 3000)
    ),
    shift=st.sampled_from([0, -(2**31) + 3000, 2**31 - 3001]),
)
def test_octree_any_points_round_trip(points, shift):
    wanted = ordered(points.astype(np.int64) + shift)
    data = encode_positions(wanted, NUMPY)
    assert np.array_equal(decode_positions(data, len(wanted), NUMPY), wanted)


def test_octree_backends_write_same_bytes_with_own_tables():
    wanted = cloud(6000)  # enough nodes for tables by context
    data = encode_positions(wanted, NUMPY)
    assert data == encode_positions(wanted, best_backend())
    assert np.array_equal(decode_positions(data, len(wanted), NUMPY), wanted)


def test_octree_surface_costs_less_than_raw_coordinates():
    uv = np.random.default_rng(0).uniform(-500, 500, (8000, 2))
    wanted = ordered(np.column_stack([uv, 50 * np.sin(uv[:, 0] / 80)]))
    bits = 8 * len(encode_positions(wanted, best_backend())) / len(wanted)
    assert bits < 18  # raw: 10 + 10 + 7 bits


def test_octree_widest_extent_round_trips():
    wanted = ordered([[0, 0, 0], [2**21 - 1, 5, 2**21 - 1]])
    data = encode_positions(wanted, NUMPY)
    assert np.array_equal(decode_positions(data, 2, NUMPY), wanted)


def test_octree_too_wide_extent_raises():
    points = np.array([[0, 0, 0], [2**21, 0, 0]], dtype=np.int32)
    with pytest.raises(ConfigError, match="voxel_size"):
        coding_order(points)
    with pytest.raises(ConfigError, match="span"):
        encode_positions(points, NUMPY)


@pytest.mark.parametrize("points", [[[1, 1, 1], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]]])
def test_octree_unordered_or_equal_points_raise(points):
    with pytest.raises(ConfigError, match="distinct and in coding order"):
        encode_positions(np.array(points, dtype=np.int32), NUMPY)


@pytest.mark.parametrize("count", [0, 1, 299, 301, 10**9])
def test_octree_wrong_count_raises(count):
    wanted = cloud(300)
    data = encode_positions(wanted, NUMPY)
    with pytest.raises(MalformedError):
        decode_positions(data, count if count != len(wanted) else 7, NUMPY)


def test_octree_flipped_bytes_raise_or_stay_bounded():
    wanted = cloud(200)
    data = bytearray(encode_positions(wanted, NUMPY))
    backend = best_backend()
    for place in range(0, len(data), 3):
        data[place] ^= 0x55
        try:
            found = decode_positions(bytes(data), len(wanted), backend)
        except BitstreamError:
            pass
        else:
            assert found.shape == wanted.shape
        data[place] ^= 0x55


def test_morton_codes_round_trip_and_follow_axes():
    cells = np.random.default_rng(0).integers(0, 2**21, (500, 3))
    assert np.array_equal(morton_decode(morton_encode(cells)), cells)
    assert morton_encode(np.eye(3, dtype=np.int64)).tolist() == [4, 2, 1]


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(0, 2**35 - 1), max_size=30))
def test_varints_any_values_round_trip(values):
    data = pack_varints(np.array(values, dtype=np.int64))
    found, end = unpack_varints(b"\x07" + data + b"\x09", len(values), 1)
    assert found.tolist() == values
    assert end == 1 + len(data)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x80\x80\x80\x80\x01"])
def test_varints_bad_bytes_raise(data):
    with pytest.raises(MalformedError):
        unpack_varints(data, 1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(0, 700), share=st.floats(0, 1))
def test_bit_stream_any_bits_round_trip(seed, count, share):
    rng = np.random.default_rng(seed)
    bits, classes = rng.random(count) < share, rng.integers(0, 4, count)
    data = encode_bits(bits, classes, 4, NUMPY)
    assert np.array_equal(decode_bits(data, classes, 4, best_backend()), bits)
