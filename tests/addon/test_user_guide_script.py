"""The user guide's script that renders the cameras of a Blender scene, run as it stands there.

A small lamp-like ball on black is rendered; the engine's reader must see it where the picture does.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from mathutils import Vector

from addon.engine.scene_scan import scan_images

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "user-guide.md"
BALL = (0.4, -0.3, 0.2)
SCRIPT = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)


def build_scene(bpy):
    """Make a bright ball and three cameras, one scaled, one shifted, that see it off centre."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x, scene.render.resolution_y = 320, 200
    scene.render.resolution_percentage = 50
    scene.view_settings.view_transform = "Standard"
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.04, location=BALL)
    glow = bpy.data.materials.new("glow")
    glow.use_nodes = True
    emission = glow.node_tree.nodes.new("ShaderNodeEmission")
    output = next(n for n in glow.node_tree.nodes if n.type == "OUTPUT_MATERIAL")
    glow.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    bpy.context.object.data.materials.append(glow)
    places = {"a": (3.0, 0.5, 1.0), "b": (-2.0, 2.0, 0.3), "c": (0.2, -3.0, 2.0)}
    for name, place in places.items():
        data = bpy.data.cameras.new(name)
        camera = bpy.data.objects.new(name, data)
        scene.collection.objects.link(camera)
        camera.location = place
        camera.rotation_euler = (-Vector(place)).to_track_quat("-Z", "Y").to_euler()
        if name == "b":
            camera.scale = (2.0, 2.0, 2.0)
        if name == "c":
            data.shift_x, data.shift_y, data.lens = 0.1, -0.05, 35.0


def brightest_place(bpy, path):
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float64).reshape(height, width, -1)[::-1, :, :3].sum(2)
    rows, columns = np.nonzero(pixels > 0.5 * pixels.max())
    return np.array([columns.mean(), rows.mean()]) + 0.5


def test_rendered_cameras_are_where_the_engine_reads_them(blender, engine_python, tmp_path):
    assert len(SCRIPT) == 1, "docs/user-guide.md holds one Python script, the one that is tested"
    build_scene(blender)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    exec(compile(SCRIPT[0], str(GUIDE), "exec"), {})  # noqa: S102 - the text that users are given
    scan = scan_images(tmp_path / "photos", Path(engine_python), own_site=True)
    assert sorted(view.image.stem for view in scan.views) == ["a", "b", "c"]
    for view in scan.views:
        x, y, z = (view.world_to_camera @ [*BALL, 1.0])[:3]
        expected = np.array([view.fx * x / z + view.cx, view.fy * y / z + view.cy])
        assert z > 0
        assert brightest_place(blender, view.image) == pytest.approx(expected, abs=0.4)
