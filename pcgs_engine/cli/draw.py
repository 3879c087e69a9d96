"""`pcgs draw`: splats and one camera in, one picture as float32 arrays out.

For hosts that have no GPU: they write the camera (and what hides the splats) and merge the
picture into their own.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..atomic_file import write_atomically
from ..errors import ConfigError
from ..scene.camera import Camera
from ..splats import SplatCloud
from ..splats.ply import read_ply
from ..splats.spherical_harmonics import colors
from .camera_file import read_camera
from .console import Console
from .parser import Commands, add_command, add_device, add_level, add_progress
from .pcgs_file import open_file

if TYPE_CHECKING:
    import torch

    from ..model.gaussians import Gaussians
    from ..render.rasterizer import Rasterizer

__all__ = ["add_arguments", "run"]

Floats = npt.NDArray[np.float32]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "draw",
        run,
        summary="draw splats from one camera into arrays",
        examples=(
            "scene.pcgs --level 2 --camera camera.json --out picture.npz",
            "splats.ply --camera camera.json --before depth.npy --out picture.npz",
        ),
    )
    parser.add_argument(
        "splats", type=Path, metavar="FILE.pcgs|SPLATS.ply", help="the splats to draw"
    )
    add_level(parser)
    parser.add_argument(
        "--camera",
        type=Path,
        required=True,
        metavar="CAMERA.json",
        help="width, height, fx, fy, cx, cy in pixels and world_to_camera, a 4 x 4 matrix with "
        "OpenCV's axes",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DEPTH.npy",
        help="view depth per pixel, float32 (height, width), of what hides splats: adds a picture "
        "of the splats before it, drawn by the CPU (default: none)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PICTURE.npz",
        help="rgb (premultiplied), alpha, depth (expected); with --before also rgb_before and "
        "alpha_before",
    )
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Draw; returns the path written.

    Raises:
        PcgsError: bad splats, bad camera, no usable device, nowhere to write.
    """
    camera = read_camera(args.camera)
    limits = None if args.before is None else _read_limits(args.before, camera)
    cloud = _read_splats(args, console)
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job

    rasterizer = start_job("draw", args, console)
    picture = _draw(rasterizer, cloud, camera)
    if limits is not None:
        picture |= _draw_before(args.threads, cloud, camera, limits)
    arrays: dict[str, Any] = dict(picture)
    write_atomically(args.out, lambda file: np.savez(file, **arrays))
    return str(args.out)


def _read_splats(args: argparse.Namespace, console: Console) -> SplatCloud:
    if args.splats.suffix.lower() == ".ply":
        if args.level is not None:
            raise ConfigError(f"{args.splats}: a .ply has no levels; leave out --level")
        return read_ply(args.splats)
    return open_file(args.splats, args.level, console).splats()


def _read_limits(path: Path, camera: Camera) -> Floats:
    try:
        limits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path}: no depth array ({error}); write it with numpy.save") from error
    if not isinstance(limits, np.ndarray) or limits.shape != (camera.height, camera.width):
        shape = getattr(limits, "shape", "no array")
        raise ConfigError(f"{path}: shape is {shape}, wanted {(camera.height, camera.width)}")
    if limits.dtype != np.float32 or np.isnan(limits).any():
        raise ConfigError(f"{path}: wanted float32 without NaN, found {limits.dtype}")
    return limits


def _gaussians(cloud: SplatCloud, camera: Camera, device: "torch.device") -> "Gaussians":
    import torch  # delayed: see run

    from ..model.gaussians import Gaussians

    rays = cloud.means - camera.centre.astype(np.float32)
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    directions = rays / np.maximum(lengths, np.float32(1e-12))
    return Gaussians(
        means=torch.from_numpy(cloud.means).to(device),
        quats=torch.from_numpy(cloud.quats).to(device),
        scales=torch.from_numpy(cloud.scales).to(device),
        opacities=torch.from_numpy(cloud.opacities).to(device),
        colors=torch.from_numpy(colors(cloud.sh, directions)).to(device),
    )


def _draw(rasterizer: "Rasterizer", cloud: SplatCloud, camera: Camera) -> dict[str, Floats]:
    import torch  # delayed: see run

    gaussians = _gaussians(cloud, camera, rasterizer.device)
    with torch.no_grad():
        output = rasterizer.render(gaussians, camera, with_depth=True)
    depth = output.alpha if output.depth is None else output.depth
    named = {"rgb": output.image, "alpha": output.alpha, "depth": depth}
    return {name: tensor.cpu().numpy() for name, tensor in named.items()}


def _draw_before(
    threads: int, cloud: SplatCloud, camera: Camera, limits: Floats
) -> dict[str, Floats]:
    # Delayed: see run.
    from ..render.cpu_backend import CpuRasterizer
    from ..render.occlusion import render_before

    rasterizer = CpuRasterizer(threads)
    gaussians = _gaussians(cloud, camera, rasterizer.device)
    picture = render_before(rasterizer, gaussians, camera, limits)
    return {"rgb_before": picture.image, "alpha_before": picture.alpha}
