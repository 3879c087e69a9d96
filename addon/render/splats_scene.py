"""The scene that Blender renders our splats in: the user's scene in, a helper scene out.

Blender's compositor renders every scene that a Render Layers node names, each with its own engine,
frame by frame, after the scene that is rendered. The helper holds nothing but a camera for Blender
to find; what it draws comes from the user's scene, which is its background set.

In a saved file that link is a custom property only: where the add-on is missing, EEVEE stands in
for our engine and must find an empty scene, not a second copy of the user's.
"""

import bpy

from .engine_ids import ENGINE_IDS, engine_id

__all__ = [
    "BASE_KEY",
    "base_scene",
    "helper_of",
    "link_sets",
    "new_helper",
    "remove_helper",
    "unlink_sets",
]

BASE_KEY = "pcgs_base_scene"


def helper_of(scene: bpy.types.Scene) -> bpy.types.Scene | None:
    """Return the helper of a scene."""
    for helper in bpy.data.scenes:
        if helper.get(BASE_KEY) == scene:
            return helper
    return None


def base_scene(helper: bpy.types.Scene) -> bpy.types.Scene | None:
    """Return the scene a helper belongs to; None where it is no helper."""
    base = helper.get(BASE_KEY)
    return base if isinstance(base, bpy.types.Scene) else None


def new_helper(scene: bpy.types.Scene, *, gpu: bool) -> bpy.types.Scene:
    """Return a new helper scene."""
    helper = bpy.data.scenes.new(f"{scene.name} PCGS Splats")
    helper[BASE_KEY] = scene
    name = f"{scene.name} PCGS Splats"
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.hide_viewport = True
    helper.collection.objects.link(camera)
    helper.camera = camera
    helper.background_set = scene
    helper.render.engine = engine_id(gpu=gpu)
    helper.render.film_transparent = True
    helper.render.use_compositing = False
    helper.render.use_sequencer = False
    return helper


def remove_helper(helper: bpy.types.Scene) -> None:
    """Delete a helper and its camera."""
    camera = helper.camera
    data = None if camera is None else camera.data
    bpy.data.scenes.remove(helper)
    if camera is not None and camera.users == 0:
        bpy.data.objects.remove(camera)
    if data is not None and data.users == 0:
        bpy.data.cameras.remove(data)


def link_sets() -> None:
    """Give every helper of the open file its background set."""
    for helper in bpy.data.scenes:
        base = base_scene(helper)
        if base is not None and helper.library is None and helper.background_set != base:
            helper.background_set = base


def unlink_sets() -> None:
    """Take it away, for as long as the file is written."""
    for helper in bpy.data.scenes:
        if base_scene(helper) is not None and helper.library is None:
            helper.background_set = None


def choose_processor(*, gpu: bool) -> None:
    """Let all helpers draw by GPU or CPU, and no compositor ask for a GPU that is not there."""
    wanted = engine_id(gpu=gpu)
    for helper in bpy.data.scenes:
        base = base_scene(helper)
        if base is None or helper.library is not None:
            continue
        if helper.render.engine != wanted:
            helper.render.engine = wanted
        if not gpu and base.render.compositor_device != "CPU":
            # The default from 5.x on; Blender 5.2 ends in a crash where there is none.
            base.render.compositor_device = "CPU"


def is_ours(scene: bpy.types.Scene) -> bool:
    """Return whether a scene is rendered by one of our engines."""
    return scene.render.engine in ENGINE_IDS
