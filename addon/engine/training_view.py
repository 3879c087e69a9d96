"""The splats of a job in the viewport: the preview while it trains, then its file.

One object from the first preview to the result. It is found by the file it shows, so it may be
renamed, moved and undone; deleted by the user, it does not come back before the result.
"""

from pathlib import Path

import bpy
from mathutils import Quaternion, Vector

from ..objects.create import create_splat_object, set_file
from ..objects.file_of_object import absolute_path, file_of_object, is_splats, splat_objects
from ..objects.session import wake
from ..objects.up_axis import UpAxis, rotation_to_z
from ..render.automatic import show_in_renders
from .job import TrainingJob
from .job_state import Stage

__all__ = ["result_object", "show_preview", "show_result", "shows_file"]


def show_preview(scene: bpy.types.Scene, job: TrainingJob, *, first: bool) -> None:
    """Show the splats so far; only the `first` preview of a job makes an object."""
    preview = job.state.preview
    if preview is None:
        return
    path = Path(preview.splats)
    obj = _object_of(path)
    if obj is not None:
        file_of_object(obj)  # the file was replaced: its thread reads it anew
        wake()
    elif first:
        _create(scene, job, path)


def show_result(scene: bpy.types.Scene, job: TrainingJob) -> None:
    """Let the preview's object show the file that a job ended in, or make one."""
    if job.state.stage is not Stage.DONE:
        return
    result = job.settings.result
    levels = len(job.state.levels)
    preview = job.state.preview
    obj = None if preview is None else _object_of(Path(preview.splats))
    if obj is not None:
        set_file(obj, result, levels=levels)
        _push_undo("Training result")
    elif _object_of(result) is None:
        _create(scene, job, result, levels=levels)


def result_object(
    context: bpy.types.Context, result: Path, scene_kind: str, *, levels: int
) -> bpy.types.Object:
    """Return the object of the context's view layer that shows a file; made where there is none."""
    for obj in context.view_layer.objects:
        if is_splats(obj) and shows_file(obj, result):
            return obj
    rotation = _rotation(scene_kind)
    obj = create_splat_object(context, result, name=result.stem, levels=levels, rotation=rotation)
    show_in_renders(context.scene)
    return obj


def shows_file(obj: bpy.types.Object, path: Path) -> bool:
    """Return whether an object is a splat object of that file."""
    return is_splats(obj) and absolute_path(obj) == path


def _object_of(path: Path) -> bpy.types.Object | None:
    return next((obj for obj in splat_objects() if shows_file(obj, path)), None)


def _create(scene: bpy.types.Scene, job: TrainingJob, path: Path, levels: int = 0) -> None:
    collection = scene.view_layers[0].active_layer_collection.collection
    rotation = _rotation(job.state.scene_kind)
    name = job.settings.result.stem
    with bpy.context.temp_override(collection=collection):
        obj = create_splat_object(bpy.context, path, name=name, levels=levels, rotation=rotation)
    _select_if_free(scene.view_layers[0], obj)
    show_in_renders(scene)
    _push_undo("Training preview")


def _select_if_free(layer: bpy.types.ViewLayer, obj: bpy.types.Object) -> None:
    """Make it the active object, so that its panel shows, unless the user is busy with others."""
    active = layer.objects.active
    busy = active is not None and active.mode != "OBJECT"
    if busy or any(other.select_get(view_layer=layer) for other in layer.objects):
        return
    if obj.name in layer.objects:
        obj.select_set(True, view_layer=layer)
        layer.objects.active = obj


def _rotation(scene_kind: str) -> Quaternion | None:
    """Return what stands the world upright: COLMAP's have y down, transforms.json z up."""
    if scene_kind != "colmap":
        return None
    return rotation_to_z(Vector(UpAxis.NEGATIVE_Y.value))


def _push_undo(message: str) -> None:
    """Give the change a step of its own: else undoing the user's next step would take it away."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=message)
