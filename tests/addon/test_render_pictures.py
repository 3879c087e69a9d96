"""Pictures that F12 gives, real renders: occlusion, alpha, colours, regions, levels, devices."""

import re
import subprocess

import numpy as np
import pytest
from render_scenes import (
    DISTANCE,
    HEIGHT,
    WIDTH,
    add_plane,
    ball,
    camera_file,
    make_scene,
    render,
    srgb_of,
)
from viewport_gpu import need_gpu

from addon.viewport.textures import UploadError

CODE = 1.0 / 255.0


@pytest.fixture
def stage(blender, tmp_path, monkeypatch):
    """A scene with splats that renders show, drawn by the GPU."""
    need_gpu()
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "gpu")
    scene, splats = make_scene(blender, tmp_path)
    assert blender.ops.pcgs.add_to_render() == {"FINISHED"}
    return scene, splats


@pytest.fixture(scope="session")
def engine_picture(engine_python, tmp_path_factory):
    """What the engine itself draws from the same camera, on black, bottom row first."""
    from pcgs_engine.splats.ply import write_ply

    folder = tmp_path_factory.mktemp("engine")
    write_ply(folder / "ball.ply", ball())
    words = ["draw", "ball.ply", "--camera", str(camera_file(folder)), "--out", "picture.npz"]
    subprocess.run(
        [engine_python, "-m", "pcgs_engine", *words, "--device", "cpu"], cwd=folder, check=True
    )
    with np.load(folder / "picture.npz") as arrays:
        return {name: array[::-1] for name, array in arrays.items()}


def middle(picture):
    return picture[HEIGHT // 2 - 3 : HEIGHT // 2 + 3, WIDTH // 2 - 3 : WIDTH // 2 + 3, :3].mean(
        (0, 1)
    )


def test_colors_in_standard_are_the_engines(blender, tmp_path, stage, engine_picture):
    picture = render(blender, tmp_path)
    solid = engine_picture["alpha"] > 0.998
    assert solid.sum() > 500
    difference = np.abs(picture[..., :3] - engine_picture["rgb"])[solid]
    assert difference.max() <= 2 * CODE


def test_transparent_film_keeps_the_splats_alpha(blender, tmp_path, stage, engine_picture):
    stage[0].render.film_transparent = True
    picture = render(blender, tmp_path)
    assert np.abs(picture[..., 3] - engine_picture["alpha"]).max() <= 2 * CODE
    seen = engine_picture["alpha"] > 0.5
    straight = engine_picture["rgb"] / np.maximum(engine_picture["alpha"], 1e-6)[..., None]
    assert np.abs(picture[..., :3] - straight)[seen].max() <= 3 * CODE


def test_mesh_before_the_cloud_hides_it(blender, tmp_path, stage):
    add_plane(blender, z=1.5, color=(0.0, 0.2, 1.0, 1.0))
    picture = render(blender, tmp_path)
    expected = [srgb_of(value) for value in (0.0, 0.2, 1.0)]
    assert np.abs(picture[..., :3] - expected).max() <= 2 * CODE


def test_mesh_behind_the_cloud_is_hidden_by_it(blender, tmp_path, stage, engine_picture):
    add_plane(blender, z=-1.5, color=(0.0, 1.0, 0.0, 1.0), size=8.0)
    picture = render(blender, tmp_path)
    solid = engine_picture["alpha"] > 0.998
    # Up to 0.2 % of full green shines through.
    assert np.abs(picture[..., :3] - engine_picture["rgb"])[solid].max() <= 4 * CODE
    around = engine_picture["alpha"] == 0.0
    assert np.abs(picture[..., :3] - (0.0, 1.0, 0.0))[around].max() <= 2 * CODE


def test_mesh_within_the_cloud_shows_through_the_splats_before_it(blender, tmp_path, stage):
    before = middle(render(blender, tmp_path, "before"))
    add_plane(blender, z=0.9, color=(0.0, 0.0, 1.0, 1.0))
    picture = render(blender, tmp_path, "within")
    within = middle(picture)
    # A thin cap of splats is left before the plane: neither all splats nor all plane.
    assert within[2] > before[2] + 0.1
    assert within[2] < 0.99
    corner = picture[2, 2, :3]
    assert np.abs(corner - (0.0, 0.0, 1.0)).max() <= 2 * CODE


def test_edge_of_a_mesh_shows_splats_and_not_the_world(blender, tmp_path, stage, engine_picture):
    """A white half plane before the ball, the world black: no dark line between the two."""
    blender.context.scene.world.color = (0.0, 0.0, 0.0)
    blender.context.scene.cycles.samples = 64
    # Its edge cuts the pixels of a column in the middle.
    edge = (WIDTH / 2 + 0.5) / WIDTH - 0.5
    add_plane(blender, z=1.2, size=4.0, color=(1.0, 1.0, 1.0, 1.0), x=2.0 + edge * (DISTANCE - 1.2))
    for film in (False, True):
        blender.context.scene.render.film_transparent = film
        picture = render(blender, tmp_path, f"edge{film}")
        row = picture[HEIGHT // 2, :, :3].mean(-1)
        splats = engine_picture["rgb"][HEIGHT // 2].mean(-1)
        column = WIDTH // 2
        assert row[column + 2] > 0.99
        assert abs(row[column - 2] - splats[column - 2]) <= 2 * CODE
        lowest = min(splats[column - 2 : column + 2].min(), 1.0)
        assert row[column - 2 : column + 2].min() >= lowest - 4 * CODE
        if film:
            assert picture[HEIGHT // 2, column - 2 : column + 3, 3].min() > 0.99


def test_percentage_and_shift_move_splats_and_meshes_alike(blender, tmp_path, stage):
    scene = stage[0]
    scene.render.resolution_percentage = 50
    scene.camera.data.shift_x, scene.camera.data.shift_y = 0.2, -0.05
    scene.render.film_transparent = True
    picture = render(blender, tmp_path)
    assert picture.shape[:2] == (HEIGHT // 2, WIDTH // 2)
    weight = picture[..., 3]
    rows, columns = np.indices(weight.shape)
    x = (weight * (columns + 0.5)).sum() / weight.sum()
    y = (weight * (rows + 0.5)).sum() / weight.sum()
    # The shift is in units of the larger side, against the direction of the picture's content.
    assert x == pytest.approx(WIDTH / 4 - 0.2 * WIDTH / 2, abs=0.4)
    assert y == pytest.approx(HEIGHT / 4 + 0.05 * WIDTH / 2, abs=0.4)


@pytest.mark.parametrize("crop", [False, True])
def test_render_region_is_a_part_of_the_whole(blender, tmp_path, stage, crop):
    scene = stage[0]
    whole = render(blender, tmp_path, "whole")
    scene.render.use_border, scene.render.use_crop_to_border = True, crop
    scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.7
    scene.render.border_min_y, scene.render.border_max_y = 0.3, 0.9
    part = render(blender, tmp_path, "part")
    left, right = int(0.25 * WIDTH), int(0.7 * WIDTH)
    bottom, top = int(0.3 * HEIGHT), int(0.9 * HEIGHT)
    region = part if crop else part[bottom:top, left:right]
    # Cycles is noise free here: only the world and splats.
    assert np.abs(region - whole[bottom:top, left:right])[..., :3].max() <= 2 * CODE
    if not crop:
        assert not part[:bottom, :, :3].any()


def test_orthographic_camera_shows_the_ball_at_its_size(blender, tmp_path, stage):
    scene = stage[0]
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 3.0
    scene.render.film_transparent = True
    alpha = render(blender, tmp_path)[..., 3]
    area = (alpha > 0.5).sum() * (3.0 / WIDTH) ** 2
    # Half a splat is added all around.
    assert area == pytest.approx(np.pi * 1.05**2, rel=0.05)


def test_object_turned_and_scaled_is_drawn_so(blender, tmp_path, stage):
    scene, splats = stage
    scene.render.film_transparent = True
    splats.scale = (0.5, 0.2, 0.3)
    alpha = render(blender, tmp_path)[..., 3]
    rows, columns = np.nonzero(alpha > 0.5)
    assert np.ptp(columns) > 1.8 * np.ptp(rows)


def test_hidden_objects_and_level_zero_are_not_rendered(blender, tmp_path, stage):
    scene, splats = stage
    scene.render.film_transparent = True
    splats.hide_render = True
    assert not render(blender, tmp_path, "hidden")[..., 3].any()
    splats.hide_render = False
    splats.pcgs.render_level = 0
    assert not render(blender, tmp_path, "zero")[..., 3].any()


@pytest.mark.parametrize("transform", ["AgX", "Filmic"])
def test_view_transform_shows_the_colors_of_the_viewport(
    blender, tmp_path, stage, engine_picture, transform
):
    stage[0].view_settings.view_transform = transform
    picture = render(blender, tmp_path)
    solid = engine_picture["alpha"] > 0.998
    difference = np.abs(picture[..., :3] - engine_picture["rgb"])[solid]
    # Orange, brown and grey are within AgX; the inverse is a table of Blender's.
    assert np.median(difference) <= 1.5 * CODE
    assert np.percentile(difference, 99) <= 6 * CODE


@pytest.mark.parametrize("transform", ["AgX", "Filmic"])
def test_view_transform_leaves_pixels_without_splats_alone(blender, tmp_path, stage, transform):
    scene = stage[0]
    scene.view_settings.view_transform = transform
    scene.world.color = (0.3, 0.6, 4.0)
    picture = render(blender, tmp_path, "with")
    assert blender.ops.pcgs.remove_from_render() == {"FINISHED"}
    plain = render(blender, tmp_path, "without")
    corner = np.s_[:6, :6]
    assert np.abs(picture[corner] - plain[corner]).max() <= CODE


def test_processor_without_gpu_draws_the_same(blender, tmp_path, stage, engine, monkeypatch):
    _, splats = stage
    splats.scale, splats.rotation_euler = (0.9, 0.7, 1.1), (0.3, 0.5, 0.7)
    add_plane(blender, z=0.4, size=1.0, color=(0.1, 0.3, 1.0, 1.0))
    by_gpu = render(blender, tmp_path, "gpu")
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "cpu")
    by_cpu = render(blender, tmp_path, "cpu")
    difference = np.abs(by_gpu - by_cpu)
    # Half float colours and one sort of ties against float32 and another.
    assert np.percentile(difference, 99.5) <= 2 * CODE
    assert (difference**2).mean() < 10 ** (-4.6)


def test_machine_without_gpu_renders_as_the_engine_draws(
    blender, tmp_path, engine, engine_picture, monkeypatch
):
    """Runs on such machines too: nothing here asks for a GPU context."""
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "cpu")
    scene, _ = make_scene(blender, tmp_path)
    assert blender.ops.pcgs.add_to_render() == {"FINISHED"}
    scene.render.film_transparent = True
    add_plane(blender, z=1.5, color=(0.0, 0.0, 1.0, 1.0), x=2.0)
    picture = render(blender, tmp_path)
    left = np.s_[:, : WIDTH // 2 - 2]
    assert np.abs(picture[..., 3] - engine_picture["alpha"])[left].max() <= 2 * CODE
    solid = engine_picture["alpha"][left] > 0.998
    assert solid.sum() > 200
    difference = np.abs(picture[..., :3] - engine_picture["rgb"])[left]
    assert difference[solid].max() <= 2 * CODE
    assert np.abs(picture[HEIGHT // 2, WIDTH - 4, :3] - (0.0, 0.0, 1.0)).max() <= 2 * CODE


def test_orthographic_processor_without_gpu_draws_the_same(
    blender, tmp_path, stage, engine, monkeypatch
):
    scene = stage[0]
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 3.0
    by_gpu = render(blender, tmp_path, "gpu")
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "cpu")
    by_cpu = render(blender, tmp_path, "cpu")
    assert ((by_gpu - by_cpu) ** 2).mean() < 10 ** (-4.4)


def test_without_gpu_and_engine_the_render_says_so(
    blender, tmp_path, stage, preferences, monkeypatch
):
    from addon.render.failure import render_failure

    preferences.engine_python = str(tmp_path / "no_python")
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "cpu")
    picture = render(blender, tmp_path)
    assert picture.shape == (HEIGHT, WIDTH, 4)
    assert "without a GPU the engine draws the splats" in render_failure.text
    assert "no_python does not exist" in render_failure.text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (UploadError("300 MB did not fit on the GPU"), "300 MB did not fit.*lower Render Level"),
        (MemoryError(), "not enough memory; use a lower Render Level"),
        (RuntimeError("by surprise"), r"unexpected fault \(by surprise\)"),
    ],
)
def test_fault_while_drawing_is_told_and_the_scene_is_rendered(
    blender, tmp_path, stage, monkeypatch, caplog, fault, words
):
    import addon.render.gpu_pictures as gpu_pictures
    from addon.render.failure import render_failure

    def fail(*_, **__):
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(gpu_pictures, "draw_splats", fail)
        picture = render(blender, tmp_path, "broken")
    assert re.search(words, render_failure.text)
    # The world without splats, all the same.
    assert np.abs(picture[..., :3] - srgb_of(0.05)).max() <= 2 * CODE
    assert ("Traceback" in caplog.text) == isinstance(fault, RuntimeError)
    assert render(blender, tmp_path, "mended")[..., 0].max() > 0.5
    assert not render_failure.text


def test_panoramic_camera_is_told(blender, tmp_path, stage):
    from addon.render.failure import render_failure

    stage[0].camera.data.type = "PANO"
    render(blender, tmp_path)
    assert "perspective or orthographic camera" in render_failure.text


def test_eevee_render_contains_splats_and_mesh(blender, tmp_path, stage):
    scene = stage[0]
    modern = blender.app.version >= (5, 0, 0)
    scene.render.engine = "BLENDER_EEVEE" if modern else "BLENDER_EEVEE_NEXT"
    scene.eevee.taa_render_samples = 4
    scene.render.resolution_percentage = 50
    add_plane(blender, z=1.2, size=4.0, color=(0.0, 0.0, 1.0, 1.0), x=2.0)
    picture = render(blender, tmp_path)
    row = picture[HEIGHT // 4]
    assert np.abs(row[WIDTH // 4 + 4, :3] - (0.0, 0.0, 1.0)).max() <= 2 * CODE
    ball_color = row[WIDTH // 4 - 4, :3]
    assert ball_color[0] > ball_color[2] + 0.2


def test_splats_engine_alone_draws_splats_without_meshes(blender, tmp_path, stage, engine_picture):
    scene = stage[0]
    blender.ops.pcgs.remove_from_render()
    scene.render.engine = "PCGS_SPLATS"
    add_plane(blender, z=1.5)
    picture = render(blender, tmp_path)
    assert np.abs(picture[..., 3] - engine_picture["alpha"]).max() <= 2 * CODE
