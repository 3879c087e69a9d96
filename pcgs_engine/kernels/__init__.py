"""Numba kernels over numpy arrays, and the threads that run them; no torch, not needed to decode.

Nothing here is re-exported: the kernel modules import numba, and `kernels.cache` must be able to
run before that.
"""

__all__: list[str] = []
