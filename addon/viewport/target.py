"""Target: the offscreen picture splats are blended into, with a depth that may hide them."""

import gpu
import numpy as np
import numpy.typing as npt

from .textures import UploadError

__all__ = ["Target"]


class Target:
    """Colour (premultiplied) and depth of one picture."""

    def __init__(self, width: int, height: int, form: str = "RGBA16F") -> None:
        """Make the textures; raises `UploadError`."""
        self.width, self.height = width, height
        try:
            self.color = gpu.types.GPUTexture((width, height), format=form)
            self._set_depth(gpu.types.GPUTexture((width, height), format="DEPTH_COMPONENT32F"))
        except (RuntimeError, MemoryError) as error:
            raise UploadError(f"no room for a picture of {width} x {height} ({error})") from error
        with self.framebuffer.bind():
            self.framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)

    def set_depth(self, depth: gpu.types.Buffer) -> None:
        """Take a depth buffer's values, bottom row first: splats behind them are not drawn."""
        size = (self.width, self.height)
        self._set_depth(gpu.types.GPUTexture(size, format="DEPTH_COMPONENT32F", data=depth))

    def read(self) -> npt.NDArray[np.float32]:
        """Return the picture `[H, W, 4] float32`, bottom row first."""
        size = (self.width, self.height)
        # A flat buffer of our own: the strides of the nested one that Blender makes are wrong.
        pixels = gpu.types.Buffer("FLOAT", 4 * self.width * self.height)
        with self.framebuffer.bind():
            self.framebuffer.read_color(0, 0, *size, 4, 0, "FLOAT", data=pixels)
        return np.array(pixels, dtype=np.float32).reshape(self.height, self.width, 4)

    def _set_depth(self, texture: gpu.types.GPUTexture) -> None:
        self._depth = texture
        self.framebuffer = gpu.types.GPUFrameBuffer(depth_slot=texture, color_slots=[self.color])
