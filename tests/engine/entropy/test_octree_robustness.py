"""Hostile position chunks: both decoders refuse them alike, or give points in range; bounded."""

import numpy as np
import pytest

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.octree import decode_positions, encode_positions
from pcgs_engine.entropy.positions import coding_order
from pcgs_engine.errors import MalformedError

BACKENDS = sorted({EntropyBackend.NUMPY, best_backend()}, key=lambda backend: backend.value)


def cloud(count, seed=0, spread=400):
    points = np.random.default_rng(seed).normal(0, spread, (count, 3))
    step = np.where(np.arange(count) % 3 == 0, 1, 16)[:, None]
    unique = np.unique((np.round(points / step) * step).astype(np.int32), axis=0)
    return unique[coding_order(unique)]


def outcome(data, count, backend):
    """Return the points as bytes, or None where they are refused."""
    try:
        found = decode_positions(data, count, backend)
    except MalformedError:
        return None
    assert found.shape == (count, 3)
    return found.tobytes()


def test_octree_every_truncation_is_refused_or_equal_on_all_backends():
    wanted = cloud(60)
    data = encode_positions(wanted, best_backend())
    for size in range(len(data)):
        found = {outcome(data[:size], len(wanted), backend) for backend in BACKENDS}
        assert found == {None}


def test_octree_extra_byte_raises():
    wanted = cloud(60)
    data = encode_positions(wanted, best_backend()) + b"\0"
    for backend in BACKENDS:
        with pytest.raises(MalformedError, match="raw bytes"):
            decode_positions(data, len(wanted), backend)


def test_octree_flipped_bytes_end_alike_on_all_backends():
    wanted = cloud(260)
    data = bytearray(encode_positions(wanted, best_backend()))
    rng = np.random.default_rng(0)
    for place in rng.permutation(len(data))[:60]:
        kept = data[place]
        data[place] ^= int(rng.integers(1, 256))
        assert len({outcome(bytes(data), len(wanted), backend) for backend in BACKENDS}) == 1
        data[place] = kept


def test_octree_random_bytes_end_alike_on_all_backends():
    rng = np.random.default_rng(0)
    for _ in range(40):
        count = int(rng.integers(1, 300))
        head = bytes([0, 0, 0, int(rng.integers(0, 23)), int(rng.choice([0, 0x42, 0x40, 0x21]))])
        data = head + bytes([20]) + rng.integers(0, 256, 60, dtype=np.uint8).tobytes()
        assert len({outcome(data, count, backend) for backend in BACKENDS}) == 1


@pytest.mark.parametrize("count", [0, 1, 299, 301, 50_000])
@pytest.mark.parametrize("backend", BACKENDS)
def test_octree_wrong_count_raises(count, backend):
    wanted = cloud(300)
    data = encode_positions(wanted, best_backend())
    with pytest.raises(MalformedError):
        decode_positions(data, count if count != len(wanted) else 7, backend)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "integer list"),
        (b"\x80", "integer list"),
        (b"\0\0\0", "inside its head"),
        (b"\0\0\0\x16\0", "depth 22"),
        (b"\0\0\0\x05\x50", "lattices"),
        (b"\0\0\0\x05\x22", "lattices"),
        (b"\0\0\0\0\0", "cannot hold"),
        (b"\0\0\0\0\0\0", "cannot hold"),
        (b"\xff\xff\xff\xff\x7f\0\0\x05\0\x01\0", "32-bit"),
        (b"\0\0\0\x05\0\x7f", "lane of"),
        (b"\0\0\0\x05\0", "integer list"),
    ],
)
def test_octree_bad_head_raises(data, message):
    with pytest.raises(MalformedError, match=message):
        decode_positions(data, 2, EntropyBackend.NUMPY)


def test_octree_huge_count_in_few_cells_raises_at_once():
    with pytest.raises(MalformedError, match="cannot hold"):
        decode_positions(b"\0\0\0\x02\0\x05abcde", 10**9, EntropyBackend.NUMPY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_octree_beyond_int32_raises(backend):
    wanted = cloud(50)
    wanted = wanted - wanted.min(axis=0) // 16 * 16
    data = encode_positions(wanted, best_backend())
    assert data[:3] == b"\0\0\0"
    last_corner = b"\xfe\xff\xff\x7f"  # zigzag of (2**31 - 16) / 16
    with pytest.raises(MalformedError, match="32-bit"):
        decode_positions(last_corner + data[1:], len(wanted), backend)
