"""Range coder: every backend writes the same bytes, every decoder reads them back."""

import numpy as np
import pytest
from laws import KINDS, TABLES, sample

from pcgs_engine.entropy import native_coder
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.distribution import TableDistribution, TritDistribution
from pcgs_engine.entropy.lane_layout import lane_bounds, lockstep_order, rows_per_lane
from pcgs_engine.entropy.lane_stream import decode_symbols, encode_symbols
from pcgs_engine.entropy.native_coder import NativeLanes
from pcgs_engine.entropy.range_decoder import NumpyLanes
from pcgs_engine.entropy.range_encoder import encode_lanes_numpy

NUMPY = EntropyBackend.NUMPY
needs_native = pytest.mark.skipif(
    best_backend() is not EntropyBackend.NATIVE, reason="native coder is not built here"
)


def one_lane(law, symbols):
    (lane,) = encode_lanes_numpy(law.intervals(symbols), np.array([0, len(symbols)]))
    return lane


@needs_native
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 511, 513, 40_001])
def test_backends_same_symbols_write_same_bytes(kind, count):
    law, symbols = sample(kind, count, count)
    wanted = encode_symbols(symbols, law, NUMPY)
    assert encode_symbols(symbols, law, EntropyBackend.NATIVE) == wanted
    assert np.array_equal(decode_symbols(wanted, law, EntropyBackend.NATIVE), symbols)
    assert np.array_equal(decode_symbols(wanted, law, NUMPY), symbols)


@needs_native
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 3])
def test_native_any_number_of_threads_gives_same_result(kind, threads, monkeypatch):
    monkeypatch.setattr(native_coder, "worker_count", lambda: threads)
    monkeypatch.setattr(native_coder, "FEWEST_SYMBOLS", 1000)
    law, symbols = sample(kind, 20_011, 5)
    data = encode_symbols(symbols, law, EntropyBackend.NATIVE)
    assert data == encode_symbols(symbols, law, NUMPY)
    assert np.array_equal(decode_symbols(data, law, EntropyBackend.NATIVE), symbols)


@pytest.mark.filterwarnings("ignore")
def test_torchac_equal_width_rows_decodes_our_bytes(torchac):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    law = TritDistribution.from_parameters(rng.integers(0, 60, (700, 3)), TABLES)
    symbols = rng.integers(0, 3, 700)
    rows = np.zeros((700, 4), dtype=np.uint16)
    rows[:, 1:3] = law.boundaries(slice(None)).T
    lane = one_lane(law, symbols)
    found = torchac.decode_int16_normalized_cdf(torch.from_numpy(rows.view(np.int16)), lane)
    assert np.array_equal(found.numpy(), symbols)


def test_range_coder_uniform_trits_costs_their_entropy():
    law = TritDistribution.from_parameters(np.zeros((8192, 3), dtype=np.int64), TABLES)
    symbols = np.random.default_rng(0).integers(0, 3, 8192)
    assert abs(len(one_lane(law, symbols)) * 8 - 8192 * np.log2(3)) < 24


def test_range_coder_long_pending_run_round_trips():
    # Symbols that straddle the middle keep bits pending for a long time.
    rows = np.array([[0, 32767, 32769, 65536]])
    law = TableDistribution(tables=rows, index=np.zeros(400, dtype=np.int64))
    symbols = np.ones(400, dtype=np.int64)
    symbols[-1] = 2
    for backend in {NUMPY, best_backend()}:
        data = encode_symbols(symbols, law, backend)
        assert np.array_equal(decode_symbols(data, law, backend), symbols)
        assert data == encode_symbols(symbols, law, NUMPY)


@pytest.mark.parametrize("kind", KINDS)
def test_decoders_garbage_lanes_agree_and_stay_in_alphabet(kind):
    law, _ = sample(kind, 900, 1)
    rng = np.random.default_rng(2)
    sizes, bounds = np.array([40, 0, 3]), np.array([0, 512, 512, 900])
    data = rng.bytes(43)
    lanes = NumpyLanes(data, sizes)
    found = lanes.take(law, bounds)
    intervals = law.intervals(found.symbols)
    assert (intervals.last >= intervals.low).all()
    if best_backend() is EntropyBackend.NATIVE:
        other = NativeLanes(data, sizes)
        assert np.array_equal(other.take(law, bounds).symbols, found.symbols)
        assert np.array_equal(other.position, lanes.position)


@needs_native
def test_decoders_random_garbage_agree_on_symbols_edges_and_place():
    rng = np.random.default_rng(11)
    for seed in range(60):
        kind = KINDS[seed % len(KINDS)]
        law, _ = sample(kind, 300, seed)
        sizes, bounds = rng.integers(0, 60, 3), np.array([0, 100, 101, 300])
        data = rng.bytes(int(sizes.sum())) if seed % 5 else b"\xff" * int(sizes.sum())
        one, other = NumpyLanes(data, sizes), NativeLanes(data, sizes)
        for _ in range(2):  # the second pass goes on where the first ended
            a, b = one.take(law, bounds), other.take(law, bounds)
            assert np.array_equal(a.symbols, b.symbols)
            assert a.edges is None or np.array_equal(a.edges, b.edges)
            assert np.array_equal(one.position, other.position)


def test_lockstep_order_uneven_lanes_visits_each_symbol_once_in_lane_order():
    bounds = np.array([0, 3, 3, 8, 9])
    order = lockstep_order(bounds)
    assert sorted(order.symbols.tolist()) == list(range(9))
    assert order.symbols.tolist() == [3, 0, 8, 4, 1, 5, 2, 6, 7]
    assert order.ends.tolist() == [0, 3, 5, 7, 8, 9]
    assert order.blocks(5) == [(0, 2), (2, 5)]
    assert order.blocks(1) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def test_lane_bounds_counts_follow_rows():
    assert lane_bounds(5, 2, 3).tolist() == [0, 6, 12, 15]
    assert lane_bounds(5, 2, np.array([1, 0, 2, 0, 4])).tolist() == [0, 1, 3, 7]
    with pytest.raises(ValueError, match="4 symbol counts for 5 rows"):
        lane_bounds(5, 2, np.array([1, 0, 2, 0]))


@pytest.mark.parametrize(
    ("rows", "width", "wanted"),
    [(0, 1, 512), (10**6, 1, 4096), (100_000, 36, 114), (300, 36, 38), (5, 10**9, 1)],
)
def test_rows_per_lane_aims_at_few_long_lanes(rows, width, wanted):
    assert rows_per_lane(rows, width) == wanted
