"""Range coder: every backend writes the same bytes, every decoder reads them back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.distribution import (
    MixtureDistribution,
    TableDistribution,
    TritDistribution,
)
from pcgs_engine.entropy.range_decoder import decode_lanes_numpy
from pcgs_engine.entropy.range_encoder import encode_lanes_numpy
from pcgs_engine.entropy.symbol_stream import (
    MAX_SYMBOL,
    decode_symbols,
    encode_symbols,
    lane_length,
)
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.errors import MalformedError

TABLES = load_tables()
NUMPY = EntropyBackend.NUMPY
KINDS = ("mixture", "trits", "tables")


def mixture(rng, count, widest=180):
    mean = rng.integers(-9000, 9000, (2, count))
    mean[1] = mean[0] + rng.integers(-700, 700, count)
    scale = rng.integers(0, widest, (2, count))
    weight = rng.integers(0, 257, count)
    return MixtureDistribution.from_parameters(mean, scale, weight, TABLES)


def sample(kind, count, seed):
    """A distribution and symbols that mostly fit it."""
    rng = np.random.default_rng(seed)
    if kind == "mixture":
        law = mixture(rng, count)
        spread = np.maximum(law.high - law.low, 2) // 4 + 1
        middle = (law.low + law.high) // 2
        return law, middle + rng.integers(-1, 2, count) * rng.integers(0, spread)
    if kind == "trits":
        law = TritDistribution.from_parameters(rng.integers(0, 200, (count, 3)), TABLES)
        return law, rng.integers(0, 3, count)
    rows = np.array([[0, 0, 9, 9, 65536, 65536], [0, 1, 2, 65530, 65535, 65536]])
    index = rng.integers(0, 2, count)
    first_row = np.where(rng.random(count) < 0.1, 1, 3)
    return TableDistribution(tables=rows, index=index), np.where(
        index == 0, first_row, rng.integers(0, 5, count)
    )


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(KINDS), count=st.integers(0, 1500), seed=st.integers(0, 2**32 - 1))
def test_symbol_stream_any_symbols_round_trips(kind, count, seed):
    law, symbols = sample(kind, count, seed)
    data = encode_symbols(symbols, law, NUMPY)
    assert np.array_equal(decode_symbols(data, law, NUMPY), symbols)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 511, 513, 20_001])
def test_backends_same_symbols_write_same_bytes(kind, count):
    if best_backend() is not EntropyBackend.NATIVE:
        pytest.skip("native coder is not built here")
    law, symbols = sample(kind, count, count)
    wanted = encode_symbols(symbols, law, NUMPY)
    assert encode_symbols(symbols, law, EntropyBackend.NATIVE) == wanted
    assert np.array_equal(decode_symbols(wanted, law, EntropyBackend.NATIVE), symbols)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_torchac_same_symbols_writes_same_bytes(kind, capfd):
    pytest.importorskip("torchac", exc_type=(ImportError, RuntimeError))
    law, symbols = sample(kind, 3000, 5)
    data = encode_symbols(symbols, law, EntropyBackend.TORCHAC)
    assert data == encode_symbols(symbols, law, NUMPY)


@pytest.mark.filterwarnings("ignore")
def test_torchac_equal_width_rows_decodes_our_bytes():
    torchac = pytest.importorskip("torchac", exc_type=(ImportError, RuntimeError))
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    law = TritDistribution.from_parameters(rng.integers(0, 60, (700, 3)), TABLES)
    symbols = rng.integers(0, 3, 700)
    (lane,) = encode_lanes_numpy(law.intervals(symbols), 700)
    rows = np.zeros((700, 4), dtype=np.uint16)
    rows[:, 1], rows[:, 2] = law.first, law.second
    found = torchac.decode_int16_normalized_cdf(torch.from_numpy(rows.view(np.int16)), lane)
    assert np.array_equal(found.numpy(), symbols)


def test_range_coder_uniform_trits_costs_their_entropy():
    law = TritDistribution.from_parameters(np.zeros((8192, 3), dtype=np.int64), TABLES)
    symbols = np.random.default_rng(0).integers(0, 3, 8192)
    (lane,) = encode_lanes_numpy(law.intervals(symbols), 8192)
    assert abs(len(lane) * 8 - 8192 * np.log2(3)) < 24


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
    sizes = np.array([40, 0])
    data = rng.bytes(40)
    found = decode_lanes_numpy(data, sizes, law, 512)
    intervals = law.intervals(found)
    assert (intervals.high > intervals.low).all()
    if best_backend() is EntropyBackend.NATIVE:
        from pcgs_engine.entropy.native_coder import decode_lanes_native

        assert np.array_equal(decode_lanes_native(data, sizes, law, 512), found)


def test_mixture_symbols_outside_window_round_trip_as_escapes():
    law = mixture(np.random.default_rng(4), 600, widest=60)
    symbols = (law.low + law.high) // 2
    symbols[[0, 5, 599]] = [MAX_SYMBOL, -MAX_SYMBOL, 77_000]
    symbols[9], symbols[10] = law.low[9], law.high[10]
    for backend in {NUMPY, best_backend()}:
        data = encode_symbols(symbols, law, backend)
        assert np.array_equal(decode_symbols(data, law, backend), symbols)


def test_encode_symbols_beyond_limit_raises():
    law = mixture(np.random.default_rng(4), 1)
    with pytest.raises(MalformedError, match="magnitude"):
        encode_symbols(np.array([MAX_SYMBOL + 1]), law, NUMPY)


def test_decode_symbols_every_truncation_raises():
    law, symbols = sample("mixture", 600, 7)
    data = encode_symbols(symbols, law, NUMPY)
    for end in range(len(data)):
        with pytest.raises(MalformedError):
            decode_symbols(data[:end], law, best_backend())


def test_decode_symbols_extra_byte_raises():
    for kind in KINDS:
        law, symbols = sample(kind, 50, 7)
        with pytest.raises(MalformedError, match="after the last"):
            decode_symbols(encode_symbols(symbols, law, NUMPY) + b"\0", law, NUMPY)


@pytest.mark.parametrize("head", [b"\0", b"\xff\xff\xff\xff\xff\xff", b"\x81\x80\x04"])
def test_decode_symbols_impossible_lane_length_raises(head):
    law, _ = sample("trits", 50, 7)
    with pytest.raises(MalformedError):
        decode_symbols(head + bytes(60), law, NUMPY)


def test_lane_length_grows_with_count_to_its_bound():
    lengths = [lane_length(n) for n in (0, 1, 16_384, 100_000, 10**7)]
    assert lengths == [512, 512, 512, 2048, 8192]
