"""Numba kernels over numpy arrays, and the threads that run them; no torch, not needed to decode.

Nothing here is re-exported: the kernel modules import numba, and `kernels.cache` must be able to
run before that. Numba's cache of a kernel notices changes of the kernel's own file only: after
editing a function that kernels of another file call, touch that file, too.
"""

__all__: list[str] = []
