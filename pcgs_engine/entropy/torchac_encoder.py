"""Encoder that calls torchac: symbol intervals in, one byte string per lane out.

The wire format's oracle. Each symbol becomes an explicit row of a four-column CDF matrix.
"""

import numpy as np

from ..errors import DeviceError
from .distribution import TOTAL, Intervals

__all__ = ["encode_lanes_torchac"]


def encode_lanes_torchac(intervals: Intervals, lane_length: int) -> list[bytes]:
    """Encode each run of `lane_length` symbols by itself.

    Raises:
        DeviceError: torchac cannot be imported here.
    """
    try:
        import torch  # delayed: only this backend needs torch
        import torchac  # delayed: compiles at import
    except (ImportError, RuntimeError, OSError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DeviceError(
            f"torchac does not load here ({first}); install the extra `torchac` or choose "
            "--entropy-backend native"
        ) from error
    last = intervals.high == TOTAL
    rows = np.zeros((len(last), 4), dtype=np.int64)
    rows[:, 1] = np.where(last, 0, intervals.low)
    rows[:, 2] = np.where(last, intervals.low, intervals.high)
    matrix = torch.from_numpy(rows.astype(np.uint16).view(np.int16))
    symbols = torch.from_numpy(np.where(last, 2, 1).astype(np.int16))
    return [
        torchac.encode_int16_normalized_cdf(
            matrix[i : i + lane_length], symbols[i : i + lane_length]
        )
        for i in range(0, len(last), lane_length)
    ]
