"""A scanned scene in, Blender cameras with their images and a mesh of its points out."""

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..objects.up_axis import UpAxis, rotation_to_z
from .camera_matrix import SENSOR_WIDTH, blender_camera
from .scene_scan import ScannedView, SceneScan

__all__ = ["MAX_POINTS", "make_camera_collection"]

MAX_POINTS = 200_000
"""Points shown; larger sets are thinned evenly."""
CAMERA_SIZE = 0.05
"""Drawn size of a camera as a share of the scene's extent."""


def make_camera_collection(scene: bpy.types.Scene, scan: SceneScan) -> bpy.types.Collection:
    """Add one collection with all cameras and the points, stood upright like the splats.

    No parent holds them together: Blender draws a line from every child to its parent.
    """
    name = scan.folder.name
    collection = bpy.data.collections.new(f"{name} cameras")
    scene.collection.children.link(collection)
    upright = Matrix.Identity(4)
    if scan.kind == "colmap":  # y down, as its first camera had; transforms.json has z up
        upright = rotation_to_z(Vector(UpAxis.NEGATIVE_Y.value)).to_matrix().to_4x4()
    frame_aspect = _frame_aspect(scene.render)
    for view in scan.views:
        camera = _camera_of(view, CAMERA_SIZE * scan.extent, frame_aspect)
        obj = bpy.data.objects.new(view.image.stem, camera)
        obj.matrix_world = upright @ Matrix(blender_camera(view).matrix.tolist())
        collection.objects.link(obj)
    if len(scan.points):
        obj = bpy.data.objects.new(f"{name} points", _points_of(scan))
        obj.matrix_world = upright
        obj.hide_render = True
        collection.objects.link(obj)
    return collection


def _camera_of(view: ScannedView, size: float, frame_aspect: float) -> bpy.types.Camera:
    settings = blender_camera(view)
    camera = bpy.data.cameras.new(view.image.stem)
    camera.sensor_fit = "HORIZONTAL"
    camera.sensor_width = SENSOR_WIDTH
    camera.lens = settings.lens
    camera.shift_x, camera.shift_y = settings.shift_x, settings.shift_y
    camera.display_size = size
    try:
        # Pixels are read when the image is first shown, so hundreds of cameras cost nothing.
        image = bpy.data.images.load(str(view.image), check_existing=True)
    except RuntimeError:
        return camera  # a format Blender lacks: the camera is useful without its picture
    background = camera.background_images.new()
    background.image = image
    # Either way it is as wide as the frame, whatever the frame's height.
    wider = view.width / view.height >= frame_aspect
    background.frame_method = "FIT" if wider else "CROP"
    camera.show_background_images = True
    return camera


def _frame_aspect(render: bpy.types.RenderSettings) -> float:
    width = render.resolution_x * render.pixel_aspect_x
    return width / (render.resolution_y * render.pixel_aspect_y)


def _points_of(scan: SceneScan) -> bpy.types.Mesh:
    step = -(-len(scan.points) // MAX_POINTS)
    positions = np.ascontiguousarray(scan.points[::step], dtype=np.float32)
    colors = np.ones((len(positions), 4), dtype=np.float32)
    colors[:, :3] = scan.point_colors[::step] / np.float32(255.0)
    mesh = bpy.data.meshes.new(f"{scan.folder.name} points")
    mesh.vertices.add(len(positions))
    mesh.vertices.foreach_set("co", positions.ravel())
    attribute = mesh.color_attributes.new("Color", "BYTE_COLOR", "POINT")
    attribute.data.foreach_set("color_srgb", colors.ravel())
    return mesh
