"""Animation renders: Render Level keyframes, moving objects and cameras, camera markers."""

import numpy as np
import pytest
from render_scenes import HEIGHT, WIDTH, make_scene, read_png
from sample_files import copy_of_trained
from viewport_gpu import need_gpu


@pytest.fixture
def scene(blender, tmp_path, monkeypatch):
    need_gpu()
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "gpu")
    scene, _ = make_scene(blender, tmp_path)
    scene.render.film_transparent = True
    blender.ops.pcgs.add_to_render()
    scene.frame_start, scene.frame_end = 1, 3
    scene.render.filepath = str(tmp_path / "frame_")
    return scene


def frames(bpy, scene):
    bpy.ops.render.render(animation=True)
    return [
        read_png(bpy, scene.render.frame_path(frame=frame))
        for frame in range(scene.frame_start, scene.frame_end + 1)
    ]


def test_render_level_keyframes_change_frames(blender, scene, tmp_path):
    from addon.objects import file_of_object, set_file

    splats = blender.data.objects["Ball"]
    set_file(splats, copy_of_trained(tmp_path))
    file = file_of_object(splats)
    assert file.wait(seconds=60.0), file.message
    cloud = file.cloud(1)
    splats.location = -cloud.means.mean(axis=0)
    splats.pcgs.level = 1
    for frame, level in ((1, 0), (2, 1), (3, file.levels)):
        splats.pcgs.render_level = level
        splats.pcgs.keyframe_insert("render_level", frame=frame)
    empty, first, last = frames(blender, scene)
    assert not empty[..., 3].any()
    assert first[..., 3].max() > 0.5
    assert np.abs(first - last).max() > 0.02


@pytest.mark.parametrize("persistent", [False, True])
def test_moving_objects_and_cameras_are_drawn_where_they_are(blender, scene, persistent):
    scene.render.use_persistent_data = persistent
    splats = blender.data.objects["Ball"]
    splats.scale = (0.4, 0.4, 0.4)
    for frame, x in ((1, -1.0), (3, 1.0)):
        splats.location.x = x
        splats.keyframe_insert("location", frame=frame)
    for frame, z in ((1, 4.0), (3, 8.0)):
        scene.camera.location.z = z
        scene.camera.keyframe_insert("location", frame=frame)
    pictures = [picture[..., 3] for picture in frames(blender, scene)]
    columns = np.arange(WIDTH) + 0.5
    centres = [(alpha.sum(0) * columns).sum() / alpha.sum() for alpha in pictures]
    focal = WIDTH
    assert centres[0] == pytest.approx(WIDTH / 2 - focal / 4.0, abs=0.5)
    assert centres[2] == pytest.approx(WIDTH / 2 + focal / 8.0, abs=0.5)
    assert pictures[0].sum() > 3.0 * pictures[2].sum()


def test_camera_markers_switch_the_splats_view_too(blender, scene):
    data = blender.data.cameras.new("Second")
    data.lens = 2 * scene.camera.data.lens
    second = blender.data.objects.new("Second", data)
    second.location.z = scene.camera.location.z
    scene.collection.objects.link(second)
    for frame, camera in ((1, scene.camera), (3, second)):
        marker = scene.timeline_markers.new(f"M{frame}", frame=frame)
        marker.camera = camera
    blender.data.objects["Ball"].scale = (0.4, 0.4, 0.4)
    pictures = frames(blender, scene)
    assert pictures[2][..., 3].sum() == pytest.approx(4.0 * pictures[0][..., 3].sum(), rel=0.15)
    assert np.array_equal(pictures[0], pictures[1])
    assert pictures[0].shape == (HEIGHT, WIDTH, 4)


def test_instances_of_a_collection_are_rendered(blender, scene, tmp_path):
    splats = blender.data.objects["Ball"]
    splats.scale = (0.2, 0.2, 0.2)
    source = blender.data.collections.new("Source")
    source.objects.link(splats)
    scene.collection.objects.unlink(splats)
    for x in (-1.0, 1.0):
        empty = blender.data.objects.new("Instance", None)
        empty.instance_type, empty.instance_collection = "COLLECTION", source
        empty.location.x = x
        scene.collection.objects.link(empty)
    scene.frame_end = 1
    (picture,) = frames(blender, scene)
    alpha = picture[HEIGHT // 2, :, 3]
    focal = WIDTH
    for x in (-1.0, 1.0):
        assert alpha[int(WIDTH / 2 + x * focal / 4.0)] > 0.9
    assert alpha[WIDTH // 2] == 0.0
