"""Streams of several passes: round trips, equal bytes of all backends, hostile bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import KINDS, TABLES, inside, mixture, sample

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.distribution import MixtureDistribution
from pcgs_engine.entropy.lane_stream import (
    MAX_SYMBOL,
    LaneDecoder,
    LaneEncoder,
    decode_symbols,
    encode_symbols,
)
from pcgs_engine.errors import MalformedError

NUMPY = EntropyBackend.NUMPY
BACKENDS = sorted({NUMPY, best_backend()}, key=lambda b: b.value)


def passes_of(rows, seed, kinds=KINDS):
    """Passes of random kinds: (distribution, symbols, counts)."""
    rng = np.random.default_rng(seed)
    result = []
    for part in range(int(rng.integers(1, 5))):
        counts = int(rng.integers(0, 4)) if rng.random() < 0.5 else rng.integers(0, 5, rows)
        total = rows * counts if isinstance(counts, int) else int(counts.sum())
        law, symbols = sample(kinds[int(rng.integers(len(kinds)))], total, seed + part)
        result.append((law, symbols, counts))
    return result


def encoded(rows, per_lane, passes, backend):
    encoder = LaneEncoder(rows, per_lane)
    for law, symbols, counts in passes:
        encoder.add(symbols, law, counts)
    return encoder.finish(backend)


def check_decoded(data, rows, passes, backend):
    decoder = LaneDecoder(data, rows, backend)
    for law, symbols, counts in passes:
        found = decoder.take(law, counts)
        assert found.dtype == np.int32
        assert np.array_equal(found, symbols)
    decoder.finish()


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(0, 300), per_lane=st.integers(1, 400), seed=st.integers(0, 2**32 - 1))
def test_lane_stream_any_passes_round_trip_with_equal_bytes(rows, per_lane, seed):
    passes = passes_of(rows, seed)
    data = encoded(rows, per_lane, passes, NUMPY)
    for backend in BACKENDS:
        assert encoded(rows, per_lane, passes, backend) == data
        check_decoded(data, rows, passes, backend)
    assert bool(data) == bool(rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("torchac")
def test_torchac_several_passes_writes_same_bytes_that_both_decoders_read(capfd):
    @settings(max_examples=25, deadline=None)
    @given(rows=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
    def check(rows, seed):
        passes = passes_of(rows, seed)
        data = encoded(rows, 64, passes, EntropyBackend.TORCHAC)
        assert data == encoded(rows, 64, passes, NUMPY)
        for backend in BACKENDS:
            check_decoded(data, rows, passes, backend)

    check()


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(KINDS), count=st.integers(0, 1500), seed=st.integers(0, 2**32 - 1))
def test_one_pass_any_symbols_round_trips(kind, count, seed):
    law, symbols = sample(kind, count, seed)
    data = encode_symbols(symbols, law, NUMPY)
    assert np.array_equal(decode_symbols(data, law, best_backend()), symbols)


def test_lane_stream_passes_split_otherwise_gives_same_lanes():
    # A lane is one code over its symbols, wherever the passes end.
    law, symbols = sample("trits", 600, 3)
    whole = encoded(200, 200, [(law, symbols, 3)], NUMPY)
    parts = [
        (type(law)(below=law.below[a:b], tables=TABLES), symbols[a:b], 1)
        for a, b in ((0, 200), (200, 400), (400, 600))
    ]
    assert encoded(200, 200, parts, NUMPY) == whole


def test_mixture_symbols_outside_window_round_trip_as_escapes():
    law = mixture(np.random.default_rng(4), 600, widest=60)
    window = law.law(slice(None))
    symbols = window.low + window.width // 2
    symbols[[0, 5, 599]] = [MAX_SYMBOL, -MAX_SYMBOL, 77_000]
    symbols[9], symbols[10] = window.low[9], (window.low + window.width)[10]
    passes = [(law, symbols, 6), (law, symbols[::-1].clip(-900, 900), 6)]
    data = encoded(100, 30, passes, NUMPY)
    for backend in BACKENDS:
        assert encoded(100, 30, passes, backend) == data
        check_decoded(data, 100, passes, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_mixture_windows_clipped_by_their_bound_round_trip(backend):
    rng = np.random.default_rng(8)
    mean = rng.integers(-(1 << 23), 1 << 23, (2, 500))
    scale = rng.integers(150, 304, (2, 500))
    law = MixtureDistribution.from_parameters(mean, scale, rng.integers(0, 257, 500), TABLES)
    assert law.law(slice(None)).clipped
    symbols = inside(law, rng)
    symbols[:40] = rng.integers(-MAX_SYMBOL, MAX_SYMBOL, 40)
    data = encode_symbols(symbols, law, backend)
    assert data == encode_symbols(symbols, law, NUMPY)
    assert np.array_equal(decode_symbols(data, law, backend), symbols)


def test_encode_symbols_beyond_limit_raises():
    law = mixture(np.random.default_rng(4), 1)
    with pytest.raises(MalformedError, match="magnitude"):
        encode_symbols(np.array([MAX_SYMBOL + 1]), law, NUMPY)


def test_lane_encoder_wrong_counts_raise():
    law, symbols = sample("trits", 12, 0)
    encoder = LaneEncoder(5, 2)
    with pytest.raises(ValueError, match="10 symbols in rows, 12 in their law"):
        encoder.add(symbols, law, 2)
    with pytest.raises(ValueError, match="rows per lane"):
        LaneEncoder(5, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_decode_symbols_every_truncation_raises(backend):
    law, symbols = sample("mixture", 600, 7)
    data = encode_symbols(symbols, law, NUMPY)
    for end in range(len(data)):
        with pytest.raises(MalformedError):
            decode_symbols(data[:end], law, backend)


def test_decode_symbols_extra_byte_raises():
    for kind in KINDS:
        law, symbols = sample(kind, 50, 7)
        with pytest.raises(MalformedError, match="after the last"):
            decode_symbols(encode_symbols(symbols, law, NUMPY) + b"\0", law, NUMPY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_decode_symbols_padded_lane_raises(backend):
    law, symbols = sample("trits", 50, 7)
    data = encode_symbols(symbols, law, NUMPY)
    padded = data[:2] + bytes([data[2] + 1]) + data[3:] + b"\0"
    with pytest.raises(MalformedError, match="lane 0 has"):
        decode_symbols(padded, law, backend)


@pytest.mark.parametrize("head", [b"\0", b"\xff\xff\xff\xff\xff\xff", b"\x81\x80\x04"])
def test_decode_symbols_impossible_lane_length_raises(head):
    law, _ = sample("trits", 50, 7)
    with pytest.raises(MalformedError):
        decode_symbols(head + bytes(60), law, NUMPY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_decode_symbols_flipped_bytes_end_in_error_or_symbols(backend):
    law, symbols = sample("mixture", 300, 9)
    data = encode_symbols(symbols, law, NUMPY)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        damaged[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        try:
            found = decode_symbols(bytes(damaged), law, backend)
        except MalformedError:
            refused += 1
        else:
            assert found.shape == symbols.shape
            assert np.abs(found).max() <= MAX_SYMBOL
    assert refused > 40


def test_lane_decoder_no_rows_accepts_empty_bytes_only():
    law, _ = sample("trits", 0, 0)
    decoder = LaneDecoder(b"", 0, NUMPY)
    assert len(decoder.take(law, 7)) == 0
    decoder.finish()
    with pytest.raises(MalformedError):
        LaneDecoder(b"\1", 0, NUMPY).finish()
