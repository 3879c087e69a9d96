"""What drawing leaves behind: nothing."""

import bpy
import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import Lens, cloud_of, instance, looking

LENS = Lens()
SIZE = (LENS.width, LENS.height)


@pytest.fixture
def session():
    from addon.viewport.session import ViewportSession

    start_gpu()
    now = [0.0]
    session = ViewportSession(lambda: now[0])
    session.now = now
    yield session
    session.clear()


def draw_once(session, key, region=1):
    """What the draw handler does, without a window."""
    from addon.viewport import ViewParameters
    from addon.viewport.view_picture import DepthCopy

    view = ViewParameters.from_matrices(looking((3.0, 0.0, 1.0)), LENS.projection)
    supplied = session.supply.supply([instance(cloud_of(200, 1), key=key)], 10**6)
    session.say(supplied)
    picture = session.picture(region)
    return picture.update(supplied.instances, view, SIZE, DepthCopy.empty(SIZE[0] * SIZE[1]))


def test_nothing_is_held_before_the_first_drawing(session):
    assert session.is_empty
    assert session.gpu_bytes == 0
    assert not session.is_busy


def test_what_nobody_looks_at_is_freed(session):
    draw_once(session, ("file", 1, 1))
    assert session.gpu_bytes > 0
    while session.is_busy:
        session.take_news()
    session.tidy(lambda key: False)
    session.now[0] += 2.0
    session.tidy(lambda key: False)
    assert len(session.painter.clouds) == 0
    session.now[0] += 60.0
    session.tidy(lambda key: False)
    assert session.is_empty


def test_levels_still_in_use_stay(session):
    draw_once(session, ("file", 1, 1))
    session.now[0] += 5.0
    draw_once(session, ("file", 1, 2))
    session.tidy(lambda key: True)
    assert len(session.painter.clouds) == 2
    session.now[0] += 18.0
    session.tidy(lambda key: True)
    assert len(session.painter.clouds) == 1


def test_gpu_bytes_return_to_the_start_after_many_levels(session):
    draw_once(session, ("file", 0, 1))
    start = session.gpu_bytes
    for generation in range(200):
        draw_once(session, ("file", generation, 1))
        session.now[0] += 2.0
        session.tidy(lambda key, now=generation: key[1] == now)
        assert session.gpu_bytes <= 2 * start
    assert session.gpu_bytes == pytest.approx(start, rel=0.05)


def test_clear_ends_the_threads(session):
    import threading

    before = threading.active_count()
    draw_once(session, ("file", 1, 1))
    session.clear()
    assert threading.active_count() <= before
    draw_once(session, ("file", 1, 1))  # and it can begin again


def test_notice_says_what_is_missing_and_what_to_do(session):
    from addon.viewport.cloud_supply import Lowered, Supplied

    def notice(shown, *, memory=False, waiting=False, lowered=()):
        session.say(
            Supplied(
                instances=(),
                waiting=waiting,
                wanted_splats=1000,
                shown_splats=shown,
                short_of_memory=memory,
                lowered=lowered,
            )
        )
        return session.notice

    assert notice(1000) == ""
    assert notice(500, waiting=True) == ""
    assert "500 of 1,000" in notice(500)
    assert "preferences" in notice(500)
    assert "lower Level" in notice(500, memory=True)
    said = notice(500, lowered=(Lowered(object_name="bonsai", wanted=3, shown=2),))
    assert "bonsai at level 2 instead of 3" in said
    assert "lower Level" in said


def test_loading_a_file_clears_the_session(blender):
    from addon.viewport import viewport_session

    start_gpu()
    draw_once(viewport_session, ("file", 1, 1))
    blender.ops.wm.read_factory_settings(use_empty=True)
    assert viewport_session.is_empty


def test_registering_makes_no_gpu_call_and_leaves_nothing(blender, monkeypatch):
    from addon import viewport

    def refuse(*_args, **_options):
        raise AssertionError("gpu used at register")

    import gpu

    monkeypatch.setattr(gpu.shader, "create_from_info", refuse)
    monkeypatch.setattr(gpu.types, "GPUTexture", refuse)
    before = len(bpy.app.handlers.load_pre)
    for _ in range(50):
        viewport.unregister()
        viewport.register()
    assert len(bpy.app.handlers.load_pre) == before
    assert viewport.viewport_session.is_empty


def test_background_has_no_draw_handler(blender):
    from addon.viewport.backend import DrawnBackend

    backend = DrawnBackend()
    backend.start()
    backend.stop()
    assert bpy.app.background


def test_a_fault_in_drawing_is_said_once_and_stops_it(blender, monkeypatch, caplog):
    from addon.viewport import draw_handler, viewport_session

    def fail(context):
        raise ValueError("made up")

    monkeypatch.setattr(draw_handler, "paint_view", fail)
    draw_handler.draw_view()
    draw_handler.draw_view()
    assert viewport_session.failed
    assert "made up" in viewport_session.notice
    assert sum("drawing splats failed" in record.message for record in caplog.records) == 1
    viewport_session.clear()
    assert not viewport_session.failed


def test_no_gpu_memory_is_said_and_drawing_goes_on(blender, monkeypatch):
    from addon.viewport import draw_handler, viewport_session
    from addon.viewport.textures import UploadError

    def fail(context):
        raise UploadError("12 MB did not fit")

    monkeypatch.setattr(draw_handler, "paint_view", fail)
    draw_handler.draw_view()
    assert not viewport_session.failed
    assert "lower Level" in viewport_session.notice
    viewport_session.clear()


def test_eye_and_direction_of_a_view():
    from addon.viewport import ViewParameters

    view = ViewParameters.from_matrices(looking((3.0, 1.0, 2.0)), LENS.projection)
    assert np.allclose(view.eye, (3.0, 1.0, 2.0))
    assert np.allclose(view.direction, -view.eye / np.linalg.norm(view.eye))
    assert not view.is_ortho
