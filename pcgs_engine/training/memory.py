"""How much memory a job holds, for progress messages."""

import sys
from pathlib import Path

import torch

__all__ = ["memory_in_use_mb"]

PAGE_BYTES = 4096


def memory_in_use_mb(device: torch.device) -> float:
    """Return allocated device memory, or resident memory on the CPU, in MB (10**6 bytes).

    NaN where the system does not tell (resident memory on other systems than Linux).
    """
    if device.type != "cpu":
        allocated: int = torch.get_device_module(device).memory_allocated(device)
        return allocated / 1e6
    if sys.platform != "linux":
        return float("nan")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_BYTES / 1e6
