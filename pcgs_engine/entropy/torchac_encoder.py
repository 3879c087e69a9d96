"""Encoder that calls torchac: symbol intervals in, one byte string per lane out.

The wire format's oracle. Each symbol becomes an explicit row of a four-column CDF matrix.
"""

import numpy as np
import numpy.typing as npt

from .distribution import TOTAL, Intervals
from .torchac_library import load_torchac

__all__ = ["encode_lanes_torchac"]

EMPTY_LANE = b"\x40"
"""The range code of no symbols; torchac wants one at least."""


def encode_lanes_torchac(
    intervals: Intervals,
    bounds: npt.NDArray[np.int64],  # [lanes + 1]
) -> list[bytes]:
    """Encode symbols `bounds[j]` .. `bounds[j + 1] - 1` as lane j, one call each.

    Raises:
        DeviceError: torchac cannot be imported here.
    """
    torchac = load_torchac()
    import torch  # delayed: only this backend needs torch

    last = intervals.last == TOTAL - 1
    rows = np.zeros((len(last), 4), dtype=np.uint16)
    rows[:, 1] = np.where(last, 0, intervals.low)
    rows[:, 2] = np.where(last, intervals.low, intervals.last + 1)
    matrix = torch.from_numpy(rows.view(np.int16))
    symbols = torch.from_numpy(np.where(last, 2, 1).astype(np.int16))
    return [
        torchac.encode_int16_normalized_cdf(matrix[a:b], symbols[a:b]) if b > a else EMPTY_LANE
        for a, b in zip(bounds.tolist(), bounds[1:].tolist(), strict=False)
    ]
