"""Write the shipped probability tables: `python -m pcgs_engine.entropy.generate_tables FOLDER`.

The files are data, not code: libm differs between machines, so a reader never computes them.
Running this again may differ in single entries; what counts is the SHA-256 in `tables.py`.
"""

import math
import sys
from pathlib import Path

import numpy as np

from .tables import (
    EXP_ENTRIES,
    LOGIT_UNITS,
    NORMAL_BITS,
    NORMAL_RANGE,
    NORMAL_UNITS,
    REACH_SIGMAS,
    SCALE_COUNT,
    SCALE_MAX,
    SCALE_MIN,
    SCALE_SHIFT,
    VALUE_UNITS,
)

__all__ = ["write_tables"]


def write_tables(folder: Path) -> None:
    """Write `normal_cdf.npy`, `scales.npy` and `exp.npy` into `folder`."""
    half = NORMAL_RANGE * NORMAL_UNITS
    grid = [i / NORMAL_UNITS for i in range(-half, half + 1)]
    normal = [round(0.5 * math.erfc(-z / math.sqrt(2.0)) * (1 << NORMAL_BITS)) for z in grid]
    ratio = (SCALE_MAX / SCALE_MIN) ** (1.0 / (SCALE_COUNT - 1))
    sigmas = [SCALE_MIN * ratio**i for i in range(SCALE_COUNT)]
    inverse = [round((1 << SCALE_SHIFT) * NORMAL_UNITS / VALUE_UNITS / s) for s in sigmas]
    reach = [math.ceil(REACH_SIGMAS * VALUE_UNITS * s) + VALUE_UNITS for s in sigmas]
    powers = [round((1 << 16) * math.exp(-i / LOGIT_UNITS)) for i in range(EXP_ENTRIES)]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "normal_cdf.npy", np.array(normal, dtype="<u4"))
    np.save(folder / "scales.npy", np.array([inverse, reach], dtype="<i8"))
    np.save(folder / "exp.npy", np.array(powers, dtype="<u4"))


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
