"""Split tree of positions: lossless, the same bytes and points on every backend, small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.octree import decode_positions, encode_positions
from pcgs_engine.entropy.octree_model import BitModel, logistic_curves
from pcgs_engine.entropy.positions import aligned_corner, coding_order
from pcgs_engine.errors import ConfigError

NUMPY, NATIVE, TORCHAC = EntropyBackend.NUMPY, EntropyBackend.NATIVE, EntropyBackend.TORCHAC
needs_native = pytest.mark.skipif(
    best_backend() is not NATIVE, reason="native library is not built here"
)


def ordered(points):
    unique = np.unique(np.asarray(points, dtype=np.int32).reshape(-1, 3), axis=0)
    return unique[coding_order(unique)]


def nested_lattices(count, seed=0):
    """A surface with points on multiples of 16, 4 and 1, as trained anchors lie."""
    rng = np.random.default_rng(seed)
    uv = rng.uniform(-900, 900, (count, 2))
    points = np.column_stack([uv, 80 * np.sin(uv[:, 0] / 150)])
    step = rng.choice([16, 4, 1], count, p=[0.5, 0.2, 0.3])[:, None]
    return ordered(np.round(points / step) * step)


@settings(max_examples=60, deadline=None)
@given(
    points=hnp.arrays(
        np.int32, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(-3000, 3000)
    ),
    step=st.sampled_from([1, 2, 4, 16]),
    shift=st.sampled_from([0, 7, -(2**31) + 48000, 2**31 - 48016]),
)
def test_octree_any_points_round_trip_on_all_backends(points, step, shift):
    wanted = ordered(points.astype(np.int64) * step + shift)
    data = encode_positions(wanted, NUMPY)
    assert data == encode_positions(wanted, best_backend())
    for backend in (NUMPY, best_backend()):
        assert np.array_equal(decode_positions(data, len(wanted), backend), wanted)


@needs_native
@pytest.mark.parametrize("count", [150, 3000, 20000])
def test_octree_native_walk_equals_numpy_walk(count):
    wanted = nested_lattices(count)
    data = encode_positions(wanted, NATIVE)
    assert data == encode_positions(wanted, NUMPY)
    assert np.array_equal(decode_positions(data, len(wanted), NATIVE), wanted)
    assert np.array_equal(decode_positions(data, len(wanted), NUMPY), wanted)


@pytest.mark.usefixtures("torchac")
def test_octree_torchac_writes_same_bytes():
    wanted = nested_lattices(600)
    data = encode_positions(wanted, TORCHAC)
    assert data == encode_positions(wanted, NUMPY)
    assert np.array_equal(decode_positions(data, len(wanted), TORCHAC), wanted)


@pytest.mark.parametrize(
    "points",
    [
        [[5, 5, 5]],
        [[0, 0, 0]],
        [[-(2**31), 2**31 - 1, 0]],
        [[0, 0, 0], [2**21 - 1, 5, 2**21 - 1]],
        [[0, 0, 0], [0, 0, 1]],
        np.indices((8, 8, 8)).reshape(3, -1).T,
        16 * np.indices((6, 6, 6)).reshape(3, -1).T,
    ],
    ids=["one", "origin", "limits", "widest", "twins", "full", "full-lattice"],
)
def test_octree_special_sets_round_trip(points):
    wanted = ordered(points)
    data = encode_positions(wanted, best_backend())
    assert data == encode_positions(wanted, NUMPY)
    for backend in (NUMPY, best_backend()):
        assert np.array_equal(decode_positions(data, len(wanted), backend), wanted)


def test_octree_full_cube_costs_almost_nothing():
    wanted = ordered(np.indices((16, 16, 16)).reshape(3, -1).T)
    # 4096 points; 33 lanes of at least a byte and their sizes.
    assert len(encode_positions(wanted, best_backend())) < 300


def test_octree_few_points_have_small_fixed_cost():
    wanted = ordered(np.random.default_rng(0).integers(0, 1024, (5, 3)))
    # 5 points of 30 bits, their order worth 7 bits, a head of 5 bytes and a lane.
    assert len(encode_positions(wanted, best_backend())) <= 5 + 1 + 19 + 6


def test_octree_nested_lattices_cost_less_than_shifted_ones():
    wanted = nested_lattices(5000)
    shifted = ordered(wanted + np.random.default_rng(0).integers(-1, 2, wanted.shape))
    size = len(encode_positions(wanted, best_backend())) / len(wanted)
    assert size < 0.85 * len(encode_positions(shifted, best_backend())) / len(shifted)


def test_octree_pinned_bytes_stay():
    wanted = ordered([[0, 0, 0], [1, 2, 3], [16, 32, 48], [100, 7, -20], [64, 64, 64]])
    assert encode_positions(wanted, NUMPY).hex() == "000003074007eafd685e1c8cc803d28b"


@pytest.mark.data
@pytest.mark.parametrize(("bits", "limit"), [(16, 18.8), (12, 7.6)])
def test_octree_garden_points_stay_under_bar(shared_data, bits, limit):
    with np.load(shared_data / "garden_points" / "test_garden.npz") as file:
        points = file["means3d"].astype(np.float64)
    points -= points.min(axis=0)
    wanted = ordered(np.floor(points / points.max() * (2**bits - 1) + 0.5))
    data = encode_positions(wanted, best_backend())
    assert 8 * len(data) / len(wanted) <= limit
    assert np.array_equal(decode_positions(data, len(wanted), best_backend()), wanted)


def test_coding_order_corner_is_on_the_coarsest_lattice():
    assert aligned_corner(np.array([[-1, 17, 16]], dtype=np.int32)).tolist() == [-16, 16, 16]


def test_octree_unordered_points_raise():
    with pytest.raises(ConfigError, match="distinct and in coding order"):
        encode_positions(np.array([[1, 1, 1], [0, 0, 0]], dtype=np.int32), NUMPY)


def test_logistic_curves_rise_and_invert_each_other():
    stretch, squash = logistic_curves()
    assert (np.diff(stretch) >= 0).all()
    assert (np.diff(squash) >= 0).all()
    probability = np.arange(40, 4056)
    assert np.abs(squash[stretch[probability] + 2048] - probability * 16).max() <= 80


def test_bit_model_frequent_bit_becomes_likely_and_counts_stay_bounded():
    model, rows, sets = BitModel(lanes=4), np.zeros((4, 4), dtype=np.int64), np.zeros(4, dtype=int)
    first = model.predict(rows, sets)
    for _ in range(2000):
        ones = model.predict(rows, sets)
        model.update(rows, sets, ones, np.ones(4, dtype=np.int64))
    assert abs(int(first[0]) - 32768) < 200
    assert int(model.predict(rows, sets)[0]) > 65000
