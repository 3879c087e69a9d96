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
SCALE_COUNT = 256
"""Scales are an index into this many log-spaced sigmas."""
SCALE_MIN, SCALE_MAX = 0.01, 4096.0
"""Smallest and largest sigma in quantization steps."""
SCALE_SHIFT = 20
"""Right shift after multiplying by an inverse sigma."""
REACH_SIGMAS = 5.0
"""Half width of the symbol window in sigmas (plus one step)."""
LOGIT_UNITS = 32
"""Trit logits are integers in 1/32 below the largest."""
EXP_ENTRIES = 512
"""Entries of the exponential table: differences up to 16."""

DATA = Path(__file__).parent / "data"
SHA256 = {
    "normal_cdf.npy": "86825b48253201b71b854df382ab5e5d239468b0267a867431ebcf4abb8cf362",
    "scales.npy": "3a1329ef85583391eba1156a57f0bc00e1249c229051966d0b796163331f5ada",
    "exp.npy": "5fe33a5dad3b54f24fa943dcd1bc91d31a5ee9858cea7c82ae039652d8b51e96",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Table bank 1."""

    normal: npt.NDArray[np.uint32]  # [24577] round(2**24 Phi(i / 2048 - 6))
    inverse_scale: Int64Array  # [256] round(2**20 * 8 / sigma)
    reach: Int64Array  # [256] half window in 1/256 steps
    exp: Int64Array  # [512] round(2**16 exp(-i / 32))


def load_tables() -> Tables:
    """Read and check the tables (about 100 kB).

    Raises:
        ChecksumError: a shipped file is damaged.
    """
    scales = _read("scales.npy")
    return Tables(
        normal=_read("normal_cdf.npy").astype(np.uint32),
        inverse_scale=np.ascontiguousarray(scales[0], dtype=np.int64),
        reach=np.ascontiguousarray(scales[1], dtype=np.int64),
        exp=_read("exp.npy").astype(np.int64),
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
