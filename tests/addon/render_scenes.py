"""Scenes the render tests draw: a cloud of splats, a camera straight in front, and ways to look."""

import json
import math
from pathlib import Path

import numpy as np

from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.ply import write_ply

WIDTH, HEIGHT = 96, 64
DISTANCE = 4.0
LENS, SENSOR = 36.0, 36.0
"""Focal length = picture width in pixels."""


def ball(count=3000, radius=1.0, seed=0):
    """A solid ball of small coloured splats, dense enough to be opaque in its middle."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    means = directions * radius * rng.uniform(0.0, 1.0, (count, 1)) ** (1 / 3)
    quats = rng.normal(size=(count, 4))
    sh = rng.normal(0.0, 0.15, (count, 4, 3))
    sh[:, 0] = (np.array([0.75, 0.45, 0.25]) - 0.5) / 0.282 + rng.normal(0.0, 0.3, (count, 3))
    return SplatCloud(
        means=means.astype(np.float32),
        scales=rng.uniform(0.03, 0.09, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        opacities=rng.uniform(0.5, 0.95, count).astype(np.float32),
        sh=sh.astype(np.float32),
    )


def make_scene(bpy, folder, cloud=None, *, engine="CYCLES"):
    """A scene with a camera at (0, 0, DISTANCE) that looks down, and a splat object."""
    from addon.objects import create_splat_object

    scene = bpy.context.scene
    scene.render.engine = engine
    if engine == "CYCLES":
        scene.cycles.samples = 16
        scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.dither_intensity = 0.0
    scene.view_settings.view_transform = "Standard"
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode = "PNG", "RGBA"
    data = bpy.data.cameras.new("Camera")
    data.lens, data.sensor_width = LENS, SENSOR
    scene.camera = bpy.data.objects.new("Camera", data)
    scene.camera.location.z = DISTANCE
    scene.collection.objects.link(scene.camera)
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = (0.05, 0.05, 0.05)
    path = Path(folder) / "ball.ply"
    write_ply(path, ball() if cloud is None else cloud)
    return scene, create_splat_object(bpy.context, path, name="Ball")


def add_plane(bpy, z, size=4.0, color=(0.0, 0.0, 0.0, 1.0), x=0.0):
    """A square across the view at height z that emits its colour."""
    half = size / 2
    mesh = bpy.data.meshes.new("Plane")
    corners = [(x - half, -half, z), (x + half, -half, z), (x + half, half, z), (x - half, half, z)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("Plane")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = color
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    mesh.materials.append(material)
    plane = bpy.data.objects.new("Plane", mesh)
    bpy.context.scene.collection.objects.link(plane)
    return plane


def render(bpy, folder, name="picture"):
    """Press F12; the saved PNG as `[H, W, 4]` floats in 0..1, bottom row first, straight alpha."""
    scene = bpy.context.scene
    scene.render.filepath = str(Path(folder) / f"{name}.png")
    bpy.ops.render.render(write_still=True)
    return read_png(bpy, scene.render.filepath)


def read_png(bpy, path):
    image = bpy.data.images.load(str(path), check_existing=False)
    # The file's own bytes, neither linearised nor premultiplied.
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)


def camera_file(folder, width=WIDTH, height=HEIGHT):
    """The same camera for the engine, written by hand: OpenCV's axes, looking down."""
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = DISTANCE
    focal = width * LENS / SENSOR
    values = {"width": width, "height": height, "fx": focal, "fy": focal}
    values |= {"cx": width / 2, "cy": height / 2, "world_to_camera": pose.tolist()}
    path = Path(folder) / "camera.json"
    path.write_text(json.dumps(values))
    return path


def srgb_of(linear):
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * math.pow(linear, 1 / 2.4) - 0.055
