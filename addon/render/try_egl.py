"""Run by Python as a script, never imported: exits with 0 where EGL gives an OpenGL 4.3 context.

Tries the displays that Blender tries at its first GPU use in background mode; a driver that
crashes takes only this process with it.
"""

import ctypes
import sys
from collections.abc import Iterator

OPENGL_API, OPENGL_BIT, NONE = 0x30A2, 0x0008, 0x3038
SURFACE_TYPE, PBUFFER_BIT, RENDERABLE_TYPE = 0x3033, 0x0001, 0x3040
MAJOR, MINOR, PROFILE_MASK, CORE_PROFILE = 0x3098, 0x30FB, 0x30FD, 0x1
SURFACELESS, DEVICE = 0x31DD, 0x313F
DEVICES_MAX = 16
POINTER = ctypes.c_void_p


def has_context() -> bool:
    """Return whether a context could be made."""
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetDisplay.restype = egl.eglGetProcAddress.restype = POINTER
    egl.eglGetDisplay.argtypes = [POINTER]
    egl.eglInitialize.argtypes = [POINTER, POINTER, POINTER]
    egl.eglChooseConfig.argtypes = [POINTER, POINTER, POINTER, ctypes.c_int, POINTER]
    egl.eglCreateContext.restype = POINTER
    egl.eglCreateContext.argtypes = [POINTER, POINTER, POINTER, POINTER]
    return any(_makes_context(egl, display) for display in _displays(egl))


def _displays(egl: ctypes.CDLL) -> Iterator[int | None]:
    yield egl.eglGetDisplay(None)
    address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not address:
        return
    of_platform = ctypes.CFUNCTYPE(POINTER, ctypes.c_uint, POINTER, POINTER)(address)
    yield of_platform(SURFACELESS, None, None)
    for device in _devices(egl):
        yield of_platform(DEVICE, device, None)


def _devices(egl: ctypes.CDLL) -> list[int | None]:
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return []
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, POINTER, POINTER)(address)
    found, count = (POINTER * DEVICES_MAX)(), ctypes.c_int()
    if not query(DEVICES_MAX, found, ctypes.byref(count)):
        return []
    return list(found[: count.value])


def _makes_context(egl: ctypes.CDLL, display: int | None) -> bool:
    if not display or not egl.eglInitialize(display, None, None):
        return False
    if not egl.eglBindAPI(OPENGL_API):
        return False
    wanted = _ints(SURFACE_TYPE, PBUFFER_BIT, RENDERABLE_TYPE, OPENGL_BIT, NONE)
    config, count = POINTER(), ctypes.c_int()
    chosen = egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count))
    if not chosen or not count.value:
        return False
    version = _ints(MAJOR, 4, MINOR, 3, PROFILE_MASK, CORE_PROFILE, NONE)
    return bool(egl.eglCreateContext(display, config, None, version))


def _ints(*values: int) -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * len(values))(*values)


if __name__ == "__main__":
    try:
        sys.exit(0 if has_context() else 1)
    except OSError:  # no such library
        sys.exit(1)
