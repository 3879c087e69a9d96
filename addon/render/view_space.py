"""Which colour spaces the splats pass through: a scene's view transform in, names of spaces out.

Splat colours are display values. Standard shows sRGB values as they are; AgX and Filmic bend them,
so the picture is put together in the space they end in and brought back by their inverse. Exposure,
gamma and look still act on the whole picture: they are the artist's choice for it.
"""

import bpy

__all__ = ["REC709", "SRGB", "scene_space", "shows_agx", "view_space"]

REC709 = "Linear Rec.709"
SRGB = "sRGB"
SCENE_LINEAR = "scene_linear"
"""A name that the compositor knows from 5.0 on; before, Linear Rec.709 is what it works in."""
AGX = "AgX"
SPACES = {AGX: "AgX Base sRGB", "Filmic": "Filmic sRGB"}
"""View transforms that have an inverse among Blender's colour spaces."""


def view_space(scene: bpy.types.Scene, known: set[str]) -> str | None:
    """Return the space a scene is shown in; None where splats need no help.

    Args:
        scene: its view settings count.
        known: colour spaces of this Blender (studios bring their own configuration).
    """
    space = SPACES.get(scene.view_settings.view_transform)
    return space if space in known and {REC709, SRGB} <= known else None


def scene_space(known: set[str]) -> str:
    """Return the compositor's own space."""
    return SCENE_LINEAR if SCENE_LINEAR in known else REC709


def shows_agx(scene: bpy.types.Scene) -> bool:
    """Return whether a scene is shown by AgX, which cannot show every colour."""
    return scene.view_settings.view_transform == AGX
