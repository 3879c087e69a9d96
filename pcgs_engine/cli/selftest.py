"""`pcgs selftest`: nothing in, whether this installation works, on what and how fast, out."""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .. import __version__
from ..codec import decode_file
from ..entropy.backend import EntropyBackend, best_backend
from ..errors import DeviceError
from ..sample import golden_file
from .console import Console
from .parser import Commands, add_command, add_device, add_progress

if TYPE_CHECKING:
    from ..model.gaussians import Gaussians
    from ..render.rasterizer import Rasterizer
    from ..scene.camera import Camera

__all__ = ["SelfTest", "add_arguments", "run"]

GAUSSIANS, SIDE = 20_000, 512
"""Size of the picture that is timed."""
SPEED_SECONDS = 3.0
"""The timing stops after so long, whatever it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What was found; there is none where something does not work."""

    version: str
    python: str
    torch: str
    numba: str
    entropy: str
    """Code that runs the range coder: native or numpy."""
    backend: str
    """Rasterizer."""
    device: str
    reason: str
    """Why it is that one."""
    forward_ms: float
    """One picture of `GAUSSIANS` random Gaussians, `SIDE` pixels square; the fastest of several."""
    backward_ms: float
    """Its gradients."""


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "selftest",
        run,
        summary="check this installation: decoder, rasterizer, gradients, device and speed",
        examples=("", "--device cpu --json"),
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for programs")
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Check and print; nothing is written.

    Raises:
        PcgsError: what does not work.
    """
    # Delayed: torch must start after the environment is set, and not for --help.
    import numba
    import torch

    from ..render.cuda_backend import DeviceChoice
    from ..render.select import choose_rasterizer

    entropy = _check_decoder()
    choice = choose_rasterizer(DeviceChoice(args.device), args.threads)
    forward, backward = _speed(choice.rasterizer)
    found = SelfTest(
        version=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        numba=numba.__version__,
        entropy=entropy.value,
        backend=choice.rasterizer.name,
        device=str(choice.rasterizer.device),
        reason=choice.reason,
        forward_ms=round(1000 * forward, 1),
        backward_ms=round(1000 * backward, 1),
    )
    console.result(json.dumps(asdict(found)) if args.json else _text(found))
    return ""


def _check_decoder() -> EntropyBackend:
    """Decode a known file with all that can decode here.

    Raises:
        BitstreamError: it does not decode: the file itself carries the digests of its contents.
        DeviceError: native and numpy code disagree.
    """
    best = best_backend()
    digests = {}
    for backend in {best, EntropyBackend.NUMPY}:
        decoder = decode_file(golden_file(), backend=backend)
        digests[backend] = decoder.digest(decoder.levels_ready)
    if len(set(digests.values())) > 1:
        raise DeviceError(
            "the native decoder does not find what the numpy one does; reinstall pcgs, and if it "
            "stays report this machine"
        )
    return best


def _speed(rasterizer: "Rasterizer") -> tuple[float, float]:
    """Return the least seconds of a picture and of its gradients."""
    import torch  # delayed as in run

    gaussians, camera = _random_scene(rasterizer)
    forward: list[float] = []
    backward: list[float] = []
    end = time.monotonic() + SPEED_SECONDS
    while len(forward) < 2 or (time.monotonic() < end and len(forward) < 10):
        start = time.perf_counter()
        image = rasterizer.render(gaussians, camera).image
        # Reading a pixel waits for a GPU that works on its own.
        float(image[0, 0, 0].detach())
        middle = time.perf_counter()
        (gradient,) = torch.autograd.grad([image.square().mean()], [gaussians.means])
        float(gradient[0, 0])
        forward.append(middle - start)
        backward.append(time.perf_counter() - middle)
    return min(forward), min(backward)


def _random_scene(rasterizer: "Rasterizer") -> "tuple[Gaussians, Camera]":
    """Return a ball of Gaussians and a camera that sees it all."""
    import numpy as np
    import torch

    from ..model.gaussians import Gaussians
    from ..scene.camera import Camera

    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    device = rasterizer.device
    means = normal(GAUSSIANS, 3) * 0.5 + torch.tensor([0.0, 0.0, 4.0])
    gaussians = Gaussians(
        means=means.to(device).requires_grad_(),
        quats=normal(GAUSSIANS, 4).to(device),
        scales=(0.01 + 0.02 * uniform(GAUSSIANS, 3)).to(device),
        opacities=(0.2 + 0.7 * uniform(GAUSSIANS)).to(device),
        colors=uniform(GAUSSIANS, 3).to(device),
    )
    camera = Camera(
        width=SIDE, height=SIDE, fx=float(SIDE), fy=float(SIDE), cx=SIDE / 2, cy=SIDE / 2,
        world_to_camera=np.eye(4),
    )  # fmt: skip
    return gaussians, camera


def _text(found: SelfTest) -> str:
    return (
        f"pcgs {found.version}, Python {found.python}, torch {found.torch}, numba {found.numba}\n"
        f"decoder: {found.entropy}, agrees with numpy\n"
        f"rasterizer: {found.backend} on {found.device} ({found.reason})\n"
        f"speed: {GAUSSIANS:,} Gaussians at {SIDE} x {SIDE} in {found.forward_ms:.1f} ms, "
        f"gradients {found.backward_ms:.1f} ms\n"
        "all is well"
    )
