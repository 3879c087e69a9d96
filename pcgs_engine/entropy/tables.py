"""Shipped probability tables: files of `data/` in, checked integer arrays out. FORMAT.md §6.1."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ChecksumError

__all__ = ["Tables", "load_tables"]

Int64Array = npt.NDArray[np.int64]

VALUE_UNITS = 256
"""Means are integers in 1/256 of a quantization step."""
NORMAL_UNITS = 2048
"""The normal CDF is tabulated every 1/2048 sigma."""
NORMAL_RANGE = 6
"""... from -6 to 6 sigma; it is constant outside to 24 bits."""
NORMAL_BITS = 24
"""Entries are round(2**24 Phi)."""
SCALE_COUNT = 304
"""Scales are an index into this many sigmas."""
SCALES_PER_OCTAVE = 16
"""The top 4 bits of a float32's mantissa."""
SCALE_EXPONENT = -7
"""Power of two of the smallest sigma, in quantization steps."""
SCALE_SHIFT = 20
"""Right shift after multiplying by an inverse sigma."""
REACH_SIGMAS = 5.0
"""Half width of the symbol window in sigmas (plus one step)."""
LOGIT_UNITS = 32
"""Trit logits are integers in 1/32 below the largest."""
EXP_ENTRIES = 512
"""Entries of the exponential table: differences up to 16."""
LOGISTIC_RANGE = 255
"""Mixture logits are looked up from -this to this, in 1/`LOGISTIC_UNITS`."""
LOGISTIC_UNITS = 16
STEP_RANGE = 255
"""Step adjustments are looked up from -this to this, in 1/`STEP_UNITS`."""
STEP_UNITS = 64
STEP_FLOOR = 1.0 / 16.0
"""Smallest step as a share of its base. Source: docs/design.md, "Quantization"."""
BIT_LOGIT_RANGE = 255
"""Logits of mask bits are looked up from -this to this, in 1/`BIT_LOGIT_UNITS`."""
BIT_LOGIT_UNITS = 32

DATA = Path(__file__).parent / "data"
SHA256 = {
    "normal_cdf.npy": "86825b48253201b71b854df382ab5e5d239468b0267a867431ebcf4abb8cf362",
    "scales.npy": "3cecc6272201ecb1841f3d5d225785cd136345e0d4edda30be9d8272fbfecb08",
    "exp.npy": "5fe33a5dad3b54f24fa943dcd1bc91d31a5ee9858cea7c82ae039652d8b51e96",
    "logistic.npy": "03f1d6e3c99c8b90a617fa38f40432fc70203493aa47360497e094e5b82a5a79",
    "step_ratio.npy": "aad185d4e751fa16e43d3e5d2e9ee7ee532b1a07bbf29de8d222e98aa7ebfb6d",
    "bit_zero.npy": "5114bdc47c93d0b861f4ffb6fbbd93a224cd1e64a74fbf0b19c89f94175bca86",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Table bank 2."""

    normal: npt.NDArray[np.uint32]  # [24577] round(2**24 Phi(i / 2048 - 6))
    inverse_scale: Int64Array  # [304] round(2**20 * 8 / sigma)
    reach: Int64Array  # [304] half window in 1/256 steps
    exp: Int64Array  # [512] round(2**16 exp(-i / 32))
    logistic: npt.NDArray[np.int16]  # [511] round(256 / (1 + exp(-(i - 255) / 16)))
    step_ratio: npt.NDArray[np.float32]  # [511] max(1 + tanh((i - 255) / 64), 1/16)
    bit_zero: Int64Array  # [511] clip(round(2**16 / (1 + exp((i - 255) / 32))), 1, 65535)


def load_tables() -> Tables:
    """Read and check the tables (about 110 kB).

    Raises:
        ChecksumError: a shipped file is damaged.
    """
    scales = _read("scales.npy")
    return Tables(
        normal=_read("normal_cdf.npy").astype(np.uint32),
        inverse_scale=np.ascontiguousarray(scales[0], dtype=np.int64),
        reach=np.ascontiguousarray(scales[1], dtype=np.int64),
        exp=_read("exp.npy").astype(np.int64),
        logistic=_read("logistic.npy").astype(np.int16),
        step_ratio=_read("step_ratio.npy").astype(np.float32),
        bit_zero=_read("bit_zero.npy").astype(np.int64),
    )


def _read(name: str) -> npt.NDArray[np.generic]:
    data = (DATA / name).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        raise ChecksumError(
            f"{DATA / name}: SHA-256 is {found[:12]}, wanted {SHA256[name][:12]}; "
            "install the package again"
        )
    array: npt.NDArray[np.generic] = np.load(io.BytesIO(data), allow_pickle=False)
    return array
