"""Blender's GPU without a window: needs an EGL driver (Mesa's will do), no X server."""

import bpy
import gpu
import pytest

from addon.render.gpu_probe import gpu_is_there


def need_gpu():
    """Skip the test where no driver is there: starting the GPU would end the process."""
    if not gpu_is_there():
        pytest.skip("no GPU driver: install EGL and Mesa (libegl1, libgl1-mesa-dri)")


def start_gpu():
    """Make the gpu module usable; skips the test where no driver is there."""
    need_gpu()
    if hasattr(gpu, "init"):
        gpu.init()
        return
    try:
        gpu.platform.backend_type_get()
    except SystemError:
        _first_render()


def _first_render():
    """Before 5.2 the first render of a GPU engine starts it; Workbench's is the cheapest."""
    scene = bpy.data.scenes.new("gpu start")
    data = bpy.data.cameras.new("gpu start")
    camera = bpy.data.objects.new("gpu start", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 8
    bpy.ops.render.render(scene=scene.name)
    bpy.data.objects.remove(camera)
    bpy.data.cameras.remove(data)
    bpy.data.scenes.remove(scene)
