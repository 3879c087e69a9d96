"""Splats in renders without being asked: a scene that has got splats in, its setup done out.

Who sees splats in the viewport expects them in F12. Called inside the operators that make splat
objects, so that one undo takes both away. A user who has removed the splats from a scene's renders
is not overruled.
"""

import bpy

from .setup import add_splats, is_added, setup_problem

__all__ = ["ask_first", "follow_imports", "show_in_renders"]

OFF_KEY = "pcgs_splats_not_in_renders"
"""Custom property of scenes whose user has said no."""


def show_in_renders(scene: bpy.types.Scene) -> None:
    """Add splats to a scene's renders, unless its user has removed them or they cannot be."""
    if OFF_KEY in scene or is_added(scene) or setup_problem(scene):
        return
    # Whether there is a GPU matters when a render starts, and is found out then.
    add_splats(scene, gpu=True)


def ask_first(scene: bpy.types.Scene) -> None:
    """The user has removed the splats: from now on only the button adds them."""
    scene[OFF_KEY] = True


def follow_imports(scene: bpy.types.Scene) -> None:
    """The user has added the splats again."""
    if OFF_KEY in scene:
        del scene[OFF_KEY]
