"""What keeps splats out of renders although their nodes are there: a scene in, texts out."""

import bpy

from .view_space import SPACES

__all__ = ["render_warnings"]

FAITHFUL = ("Standard", "Raw", *SPACES)


def render_warnings(scene: bpy.types.Scene) -> list[str]:
    """Return one text per thing the user should know before rendering."""
    render, found = scene.render, []
    if not render.use_compositing:
        found.append("Compositing is off (Output > Post Processing): no splats are shown")
    camera = scene.camera
    if camera is None:
        found.append("The scene has no camera: add one")
    elif camera.type == "CAMERA" and camera.data.type == "PANO":
        found.append("Panoramic cameras show no splats: choose perspective or orthographic")
    elif camera.type == "CAMERA" and camera.data.dof.use_dof:
        found.append("Splats stay sharp: depth of field does not blur them")
    if render.use_motion_blur:
        found.append("Splats stay sharp: motion blur does not touch them")
    if render.use_multiview:
        found.append("Stereoscopy: both eyes see the same splats")
    if not any(layer.use_pass_z for layer in scene.view_layers if layer.use):
        found.append("The depth pass is off: remove the splats and add them again")
    if scene.view_settings.view_transform not in FAITHFUL:
        found.append("This view transform alters the splats' colours; AgX, Filmic and Standard fit")
    return found
