"""BasePicture: what the scene's own engine has just rendered, as arrays.

While Blender renders the splats' scene, the render result of the user's scene is complete but
Python cannot read it; saving it as a multilayer EXR can (tried in 4.2, 4.5 and 5.2).
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt

from .exr_file import ExrError, read_exr
from .main_thread import on_main_thread

__all__ = ["BasePicture", "BasePictureError", "picture_of_channels", "read_base_picture"]

Floats = npt.NDArray[np.float32]

RENDER_RESULT = "Render Result"
NOTHING = 0.999
"""EEVEE's depth where there is nothing is a hair below the camera's clip end."""
ENVIRONMENT_NAMES = ("Env", "Environment")
"""Of the pass in files of Blender 4 and 5."""
EXR_SETTINGS = (
    ("media_type", "MULTI_LAYER_IMAGE"),  # from 5.0 on; must come before the format
    ("file_format", "OPEN_EXR_MULTILAYER"),
    ("color_depth", "32"),
    ("exr_codec", "NONE"),
    ("use_exr_interleave", True),  # from 5.0 on: all layers in one part
)


class BasePictureError(Exception):
    """The render result cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePicture:
    """Bottom row first; scene linear values."""

    color: Floats
    """`[H, W, 4]`, premultiplied."""
    depth: Floats
    """`[H, W]`, distance along the view, infinite where there is nothing."""
    environment: Floats | None
    """`[H, W, 3]`: the part of `color` that is the world; None where that pass is missing."""


def read_base_picture(scene: bpy.types.Scene, clip_end: float) -> BasePicture:
    """Return the render result of a scene whose engine has finished.

    Args:
        scene: the user's scene (original).
        clip_end: of its camera.

    Raises:
        BasePictureError: there is no result, or it has no depth.
    """
    image = bpy.data.images.get(RENDER_RESULT)
    if image is None:
        raise BasePictureError("there is no render result to draw splats into; render again")
    with tempfile.TemporaryDirectory(prefix="pcgs_render_") as folder:
        path = Path(folder) / "base.exr"
        try:
            with _exr_output(scene):
                image.save_render(str(path), scene=scene)
            channels = read_exr(path)
        except (RuntimeError, OSError, ExrError) as error:
            raise BasePictureError(
                f"the render result cannot be read ({error}); check the temporary folder"
            ) from error
    return picture_of_channels(channels, clip_end)


def picture_of_channels(channels: Mapping[str, Floats], clip_end: float) -> BasePicture:
    """Return the picture of a multilayer EXR's channels, `LAYER.PASS.CHANNEL`.

    Several view layers: the nearest depth counts, colours are those of the first.

    Raises:
        BasePictureError: a pass is missing.
    """
    layers = list(dict.fromkeys(name.rsplit(".", 2)[0] for name in channels if "." in name))
    depths = [channels[f"{layer}.Depth.Z"] for layer in layers if f"{layer}.Depth.Z" in channels]
    lit = [layer for layer in layers if f"{layer}.Combined.R" in channels]
    if not depths or not lit:
        raise BasePictureError(
            "the view layer has no depth pass, so meshes cannot hide splats; use Remove and Add "
            "under Splats in Renders"
        )
    depth = np.minimum.reduce(depths)
    return BasePicture(
        color=np.stack([channels[f"{lit[0]}.Combined.{c}"] for c in "RGBA"], axis=-1),
        depth=np.where(depth < NOTHING * clip_end, depth, np.float32(np.inf)),
        environment=_environment(channels, lit[0]) if len(lit) == 1 else None,
    )


def _environment(channels: Mapping[str, Floats], layer: str) -> Floats | None:
    for name in ENVIRONMENT_NAMES:
        planes = [channels.get(f"{layer}.{name}.{c}") for c in "RGB"]
        if all(plane is not None for plane in planes):
            return np.stack(planes, axis=-1)
    return None


@contextlib.contextmanager
def _exr_output(scene: bpy.types.Scene) -> Iterator[None]:
    """Let a scene save exact EXR files for a moment."""
    before = on_main_thread(lambda: _exchange(scene, EXR_SETTINGS))
    try:
        yield
    finally:
        on_main_thread(lambda: _exchange(scene, before))


def _exchange(
    scene: bpy.types.Scene, wanted: tuple[tuple[str, object], ...]
) -> tuple[tuple[str, object], ...]:
    """Set image settings that this Blender has; returns what sets them back."""
    settings = scene.render.image_settings
    names = [name for name, _ in EXR_SETTINGS if hasattr(settings, name)]
    before = tuple((name, getattr(settings, name)) for name in names)
    for name, value in wanted:
        # Which values are allowed depends on those set before, so some may not fit any more.
        if name in names:
            with contextlib.suppress(TypeError):
                setattr(settings, name, value)
    return before
