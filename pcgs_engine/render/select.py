"""Which rasterizer to use: decided by drawing a picture and comparing it, never by an import."""

import subprocess
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DeviceError
from ..model.gaussians import Gaussians
from ..scene.camera import Camera
from .cpu_backend import CpuRasterizer
from .cuda_backend import (
    CudaRasterizer,
    DeviceChoice,
    missing_cuda_reason,
    missing_kernels_reason,
)
from .rasterizer import Rasterizer
from .reference_backend import ReferenceRasterizer

__all__ = ["BackendChoice", "choose_rasterizer", "probe_rasterizer"]

PROBE_TOLERANCE = 1e-3
"""Greatest difference from the reference, in pixel value and in relative gradient: float32
rounding stays below 1e-5, a wrong build is off by far more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendChoice:
    """The rasterizer to use and why it was chosen, one line for the user."""

    rasterizer: Rasterizer
    reason: str


def choose_rasterizer(device: DeviceChoice, threads: int) -> BackendChoice:
    """Choose and prove a rasterizer; the first use may compile it, which takes a while.

    Args:
        device: What the user asks for; AUTO takes the GPU where it works, else the CPU.
        threads: Threads of the CPU rasterizer, >= 1.

    Raises:
        DeviceError: the device asked for does not work; the message says why.
    """
    if device is DeviceChoice.CPU:
        return BackendChoice(rasterizer=_proven_cpu(threads), reason="cpu was asked for")
    gpu = _try_cuda()
    if isinstance(gpu, CudaRasterizer):
        return BackendChoice(rasterizer=gpu, reason=f"gsplat works on {gpu.device_name}")
    if device is not DeviceChoice.AUTO:
        raise DeviceError(f"{device.value} does not work here: {gpu}; use --device cpu")
    return BackendChoice(rasterizer=_proven_cpu(threads), reason=f"no usable gpu: {gpu}")


def _try_cuda() -> CudaRasterizer | str:
    """The working GPU rasterizer, or the reason why there is none."""
    reason = missing_cuda_reason()
    if reason is not None:
        return reason
    # gsplat may be absent, fail to compile, or fail at its first call, each in its own way.
    try:
        rasterizer = CudaRasterizer()
        reason = probe_rasterizer(rasterizer)
    except ImportError as error:
        return _gsplat_failure("cannot be loaded", error)
    except (
        AttributeError,
        DeviceError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        subprocess.SubprocessError,
    ) as error:
        return _gsplat_failure("failed", error)
    return rasterizer if reason is None else reason


def _proven_cpu(threads: int) -> CpuRasterizer:
    rasterizer = CpuRasterizer(threads)
    reason = probe_rasterizer(rasterizer)
    if reason is not None:
        raise DeviceError(f"cpu does not work here: {reason}; reinstall numba")
    return rasterizer


def _gsplat_failure(what: str, error: BaseException) -> str:
    """Return why gsplat does not work: the lack of a compiler, if it is that, before its words."""
    return missing_kernels_reason() or f"gsplat {what} ({_first_line(error)})"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def probe_rasterizer(rasterizer: Rasterizer) -> str | None:
    """Draw three Gaussians and take gradients; compare both with the reference.

    Returns:
        None when they agree, else what differs.
    """
    image, gradient = _draw_probe(rasterizer)
    expected, expected_gradient = _draw_probe(ReferenceRasterizer())
    error = float((image - expected).abs().max())
    if not error <= PROBE_TOLERANCE:
        return f"{rasterizer.name} drew a test image wrong by {error:.2g}"
    error = float((gradient - expected_gradient).norm() / expected_gradient.norm())
    if not error <= PROBE_TOLERANCE:
        return f"{rasterizer.name} got the gradients of a test image wrong by {error:.2g}"
    return None


def _draw_probe(rasterizer: Rasterizer) -> tuple[torch.Tensor, torch.Tensor]:
    """The probe image and the gradient of its pixels' weighted sum in the means, on the CPU."""
    device = rasterizer.device
    means = torch.tensor([[0.0, 0.0, 2.0], [0.3, -0.2, 2.5], [-0.4, 0.3, 3.0]], device=device)
    means.requires_grad_()
    gaussians = Gaussians(
        means=means,
        quats=torch.tensor([[1.0, 0.2, 0.1, 0.0], [0.5, 0.5, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0]]).to(
            device
        ),
        scales=torch.tensor([[0.2, 0.1, 0.3], [0.1, 0.3, 0.2], [0.4, 0.4, 0.1]]).to(device),
        opacities=torch.tensor([0.6, 0.8, 0.7]).to(device),
        colors=torch.eye(3).to(device),
    )
    camera = Camera(
        width=40, height=24, fx=30.0, fy=32.0, cx=19.0, cy=12.5, world_to_camera=np.eye(4)
    )
    output = rasterizer.render(gaussians, camera, background=torch.full((3,), 0.2).to(device))
    weights = torch.linspace(-1.0, 1.0, output.image.numel()).view_as(output.image).to(device)
    torch.autograd.backward([(output.image * weights).sum()])
    gradient = means.grad if means.grad is not None else torch.zeros_like(means)
    return output.image.detach().cpu(), gradient.cpu()
