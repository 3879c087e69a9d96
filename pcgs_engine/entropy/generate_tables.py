"""Write the shipped probability tables: `python -m pcgs_engine.entropy.generate_tables FOLDER`.

The files are data, not code: libm differs between machines, so a reader never computes them.
Running this again may differ in single entries; what counts is the SHA-256 in `tables.py`.
"""

import math
import sys
from pathlib import Path

import numpy as np

from .tables import (
    BIT_LOGIT_RANGE,
    BIT_LOGIT_UNITS,
    EXP_ENTRIES,
    LOGISTIC_RANGE,
    LOGISTIC_UNITS,
    LOGIT_UNITS,
    NORMAL_BITS,
    NORMAL_RANGE,
    NORMAL_UNITS,
    REACH_SIGMAS,
    SCALE_COUNT,
    SCALE_EXPONENT,
    SCALE_SHIFT,
    SCALES_PER_OCTAVE,
    STEP_FLOOR,
    STEP_RANGE,
    STEP_UNITS,
    VALUE_UNITS,
)

__all__ = ["write_tables"]


def write_tables(folder: Path) -> None:
    """Write the files named in `tables.SHA256` into `folder`."""
    half = NORMAL_RANGE * NORMAL_UNITS
    grid = [i / NORMAL_UNITS for i in range(-half, half + 1)]
    normal = [round(0.5 * math.erfc(-z / math.sqrt(2.0)) * (1 << NORMAL_BITS)) for z in grid]
    sigmas = [_sigma(i) for i in range(SCALE_COUNT)]
    inverse = [round((1 << SCALE_SHIFT) * NORMAL_UNITS / VALUE_UNITS / s) for s in sigmas]
    reach = [math.ceil(REACH_SIGMAS * VALUE_UNITS * s) + VALUE_UNITS for s in sigmas]
    powers = [round((1 << 16) * math.exp(-i / LOGIT_UNITS)) for i in range(EXP_ENTRIES)]
    logits = [i / LOGISTIC_UNITS for i in range(-LOGISTIC_RANGE, LOGISTIC_RANGE + 1)]
    logistic = [round(256 / (1 + math.exp(-x))) for x in logits]
    adjustments = [i / STEP_UNITS for i in range(-STEP_RANGE, STEP_RANGE + 1)]
    ratio = [max(1 + math.tanh(a), STEP_FLOOR) for a in adjustments]
    bits = [i / BIT_LOGIT_UNITS for i in range(-BIT_LOGIT_RANGE, BIT_LOGIT_RANGE + 1)]
    zero = [min(max(round((1 << 16) / (1 + math.exp(x))), 1), (1 << 16) - 1) for x in bits]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "normal_cdf.npy", np.array(normal, dtype="<u4"))
    np.save(folder / "scales.npy", np.array([inverse, reach], dtype="<i8"))
    np.save(folder / "exp.npy", np.array(powers, dtype="<u4"))
    np.save(folder / "logistic.npy", np.array(logistic, dtype="<i2"))
    np.save(folder / "step_ratio.npy", np.array(ratio, dtype="<f4"))
    np.save(folder / "bit_zero.npy", np.array(zero, dtype="<u2"))


def _sigma(index: int) -> float:
    """Return the middle of the bucket of sigmas that share exponent and 4 mantissa bits."""
    octave, part = divmod(index, SCALES_PER_OCTAVE)
    return float(2.0 ** (octave + SCALE_EXPONENT) * (1 + (part + 0.5) / SCALES_PER_OCTAVE))


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
