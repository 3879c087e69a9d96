"""Native range coder: C source, its builder and the ctypes door."""

from .library import load_native, unload_native

__all__ = ["load_native", "unload_native"]
