"""Splats for a render, drawn by the engine's CPU rasterizer: placed clouds in, pictures out.

For machines without a GPU. `pcgs draw` runs as a process of its own and trades files.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pcgs_engine.errors import PcgsError
from pcgs_engine.protocol import ErrorMessage
from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.ply import write_ply

from ..engine.environment import Candidate
from ..engine.process import EngineProcess, EngineStartError, Exited
from ..objects import SplatInstance
from ..viewport.view_parameters import ViewParameters
from .render_frame import RenderFrame, clip_range
from .splat_pictures import PictureError, SplatPictures
from .world_splats import NEAR_PLANE, world_splats

__all__ = ["PinholeView", "cpu_pictures", "pinhole_view"]

Floats = npt.NDArray[np.float32]

POLL_SECONDS = 0.05
ORTHO_DISTANCE = 2000.0
"""An orthographic view is drawn from this many times the cloud's depth away: what is left of the
perspective moves a splat by at most 1/4000 of its distance from the middle of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeView:
    """A view as the engine wants it: the engine draws in perspective, near plane 0.2."""

    camera: dict[str, object]
    """Content of the camera file."""
    unit: float
    """World units are multiplied by this, so that nothing wanted lies before the near plane."""
    offset: float
    """Added to distances (after `unit`)."""


def cpu_pictures(
    instances: Sequence[SplatInstance],
    frame: RenderFrame,
    limits: Floats,  # [H, W]
    python: Candidate,
    threads: int,
    cancelled: Callable[[], bool],
) -> SplatPictures:
    """Draw; takes some seconds for the process to start.

    Args:
        instances: what to draw.
        frame: from where.
        limits: distances of what hides splats, bottom row first.
        python: runs the engine.
        threads: of the engine.
        cancelled: asked while waiting; the picture is empty where it says yes.

    Raises:
        PictureError: the engine failed.
    """
    empty = np.zeros((frame.height, frame.width, 4), np.float32)
    cloud = world_splats(instances, frame.view, clip_range(frame.view))
    if not len(cloud):
        return SplatPictures(front=empty, whole=empty)
    with tempfile.TemporaryDirectory(prefix="pcgs_draw_") as name:
        folder = Path(name)
        try:
            arguments = _write_inputs(folder, cloud, frame, limits)
            process = EngineProcess(
                python.python, [*arguments, "--threads", str(threads)], own_site=python.chosen
            )
            if not _wait(process, cancelled):
                return SplatPictures(front=empty, whole=empty)
            with np.load(folder / "picture.npz") as arrays:
                return SplatPictures(
                    front=_picture(arrays["rgb_before"], arrays["alpha_before"]),
                    whole=_picture(arrays["rgb"], arrays["alpha"]),
                )
        except (EngineStartError, OSError, PcgsError, KeyError) as error:
            raise PictureError(f"the CPU cannot draw the splats: {error}") from error


def pinhole_view(view: ViewParameters, size: tuple[int, int], depths: Floats) -> PinholeView:
    """Return the pinhole camera that shows what a view shows.

    Args:
        view: with Blender's axes.
        size: of the picture in pixels.
        depths: distances `[M]` of the splats, at least one.
    """
    width, height = size
    p = view.projection_matrix
    near, far = float(depths.min()), float(depths.max())
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ view.view_matrix
    offset = 0.0
    if view.is_ortho:
        extent = max(far - near, 2.0 / min(abs(p[0, 0]), abs(p[1, 1])))
        offset = ORTHO_DISTANCE * extent - near
        reach = 0.5 * (near + far) + offset
        focal = (0.5 * width * p[0, 0] * reach, 0.5 * height * p[1, 1] * reach)
        centre = (0.5 * width * (1.0 + p[0, 3]), 0.5 * height * (1.0 - p[1, 3]))
    else:
        focal = (0.5 * width * p[0, 0], 0.5 * height * p[1, 1])
        centre = (0.5 * width * (1.0 - p[0, 2]), 0.5 * height * (1.0 + p[1, 2]))
    unit = max(1.0, 2.0 * NEAR_PLANE / max(near + offset, 1e-9))
    world_to_camera[:3, 3] = world_to_camera[:3, 3] * unit
    world_to_camera[2, 3] += offset * unit
    camera = {
        "width": width,
        "height": height,
        "fx": float(focal[0]),
        "fy": float(focal[1]),
        "cx": float(centre[0]),
        "cy": float(centre[1]),
        "world_to_camera": world_to_camera.tolist(),
    }
    return PinholeView(camera=camera, unit=unit, offset=offset * unit)


def _write_inputs(folder: Path, cloud: SplatCloud, frame: RenderFrame, limits: Floats) -> list[str]:
    row = frame.view.view_matrix[2]
    depths = (-(cloud.means.astype(np.float64) @ row[:3] + row[3])).astype(np.float32)
    pinhole = pinhole_view(frame.view, (frame.width, frame.height), depths)
    unit = np.float32(pinhole.unit)
    scaled = SplatCloud(
        means=cloud.means * unit,
        scales=cloud.scales * unit,
        quats=cloud.quats,
        opacities=cloud.opacities,
        sh=cloud.sh,
    )
    write_ply(folder / "splats.ply", scaled)
    (folder / "camera.json").write_text(json.dumps(pinhole.camera), encoding="utf-8")
    before = limits[::-1] * unit + np.float32(pinhole.offset)
    np.save(folder / "depth.npy", np.ascontiguousarray(before, np.float32))
    return [
        "draw",
        str(folder / "splats.ply"),
        *("--camera", str(folder / "camera.json")),
        *("--before", str(folder / "depth.npy")),
        *("--out", str(folder / "picture.npz")),
        *("--device", "cpu", "--progress", "json"),
    ]


def _wait(process: EngineProcess, cancelled: Callable[[], bool]) -> bool:
    """Wait for the end; returns whether there is a picture."""
    said, stopped = "", False
    try:
        while True:
            for entry in process.take():
                if isinstance(entry, ErrorMessage):
                    said = entry.text
                elif isinstance(entry, Exited):
                    return _is_done(entry.code, (said, *process.log[-1:]), stopped=stopped)
            if cancelled() and not stopped:
                stopped = True
                process.kill()
            time.sleep(POLL_SECONDS)
    finally:
        process.stop()


def _is_done(code: int, said: Sequence[str], *, stopped: bool) -> bool:
    if code and not stopped:
        reason = next((line for line in said if line), f"exit status {code}")
        raise PictureError(f"the CPU cannot draw the splats: {reason}")
    return not stopped


def _picture(color: Floats, alpha: Floats) -> Floats:
    picture = np.concatenate([color, alpha[..., None]], axis=-1)
    return np.ascontiguousarray(picture[::-1])
