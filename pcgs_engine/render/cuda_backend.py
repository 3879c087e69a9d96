"""The rasterizer for NVIDIA GPUs: gsplat, called through keywords so that 1.5.3 and 1.6 both work.

In: `Gaussians` on the GPU and a `Camera`; out: a `RenderOutput`. Whether gsplat works is not known
until it has drawn something (it may compile itself at first use): see `select`.
"""

import importlib.util
import shutil
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DeviceMemoryError
from ..model.gaussians import Gaussians
from ..scene.camera import Camera
from .anchors_in_view import anchors_in_view
from .finite import replace_nonfinite
from .rasterizer import RenderOutput

__all__ = ["CudaRasterizer", "DeviceChoice", "missing_cuda_reason", "missing_kernels_reason"]

NEAR_PLANE = 0.2
DILATION = 0.3


class DeviceChoice(Enum):
    """The device a user asks for."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


def missing_cuda_reason() -> str | None:
    """Return why torch cannot use a GPU here, or None when it can."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    return None


def missing_kernels_reason() -> str | None:
    """Return why gsplat has nothing to run on a GPU; None when it has, or can compile it.

    It comes as source that compiles itself at its first use, or compiled for one torch
    (`build_addon.py gsplat`).
    """
    found = importlib.util.find_spec("gsplat")
    if found is None or found.origin is None:
        return "gsplat is not installed"
    if any(Path(found.origin).parent.glob("csrc*.*")):
        return None
    # Delayed: it looks for CUDA as it is imported, and talks about it.
    from torch.utils import cpp_extension

    compiler = "cl" if sys.platform == "win32" else "c++"
    missing = [name for name in ("ninja", compiler) if shutil.which(name) is None]
    if cpp_extension.CUDA_HOME is None:
        missing.insert(0, "nvcc")
    if not missing:
        return None
    return (
        f"gsplat is not compiled and cannot compile itself without {' and '.join(missing)}; "
        f"install the CUDA Toolkit {torch.version.cuda} and a C++ compiler, or a gsplat wheel "
        f"compiled for torch {torch.__version__}"
    )


class CudaRasterizer:
    """Rasterizes with gsplat; tensors live on the GPU, float32."""

    def __init__(self, device: torch.device | None = None) -> None:
        """Draw on `device`, by default the current GPU.

        Raises:
            ImportError: gsplat is not installed.
        """
        # Delayed: gsplat is an extra, and importing it takes seconds.
        from gsplat import fully_fused_projection, rasterization

        self._project: Any = fully_fused_projection
        self._rasterize: Any = rasterization
        self._device = device if device is not None else torch.device("cuda")

    @property
    def name(self) -> str:
        """`cuda`."""
        return "cuda"

    @property
    def device(self) -> torch.device:
        """The GPU drawn on."""
        return self._device

    @property
    def device_name(self) -> str:
        """What the GPU calls itself."""
        return torch.cuda.get_device_name(self._device)

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Tensor | None = None,  # [3]
        with_depth: bool = False,
        track_means2d: bool = False,
    ) -> RenderOutput:
        """Rasterize; see `Rasterizer.render`.

        Raises:
            DeviceMemoryError: the GPU's memory ran out.
        """
        if len(gaussians.means) == 0:
            return self._empty(gaussians, camera, background, with_depth)
        drawn = replace_nonfinite(gaussians)
        try:
            channels, alphas, meta = self._rasterize(
                means=drawn.means,
                quats=drawn.quats,
                scales=drawn.scales,
                opacities=drawn.opacities,
                colors=drawn.colors,
                **self._view(camera),
                near_plane=NEAR_PLANE,
                eps2d=DILATION,
                packed=False,
                backgrounds=None if background is None else background[None],
                render_mode="RGB+ED" if with_depth else "RGB",
            )
        except torch.OutOfMemoryError as error:
            raise DeviceMemoryError(
                f"gpu memory ran out drawing {len(drawn.means)} gaussians at "
                f"{camera.width}x{camera.height}; use a smaller --max-size or preset"
            ) from error
        return RenderOutput(
            image=channels[0, ..., :3],
            alpha=alphas[0, ..., 0],
            depth=channels[0, ..., 3] if with_depth else None,
            radii=meta["radii"][0].to(torch.int32),
            means2d=_probe(meta["means2d"], track_means2d),
        )

    def anchors_in_view(
        self,
        camera: Camera,
        positions: Tensor,  # [N, 3]
        scaling: Tensor,  # [N, 6]
        offsets: Tensor,  # [N, K, 3]
        mask: Tensor,  # [N, K] bool
    ) -> Tensor:  # [n] int64, ascending
        """Which anchors have a Gaussian in view; see `Rasterizer.anchors_in_view`."""
        return anchors_in_view(self._visible, camera, positions, scaling, offsets, mask)

    def _visible(
        self,
        means: Tensor,  # [M, 3]
        scales: Tensor,  # [M, 3]
        camera: Camera,
    ) -> Tensor:  # [M] bool
        """Which unrotated Gaussians can touch the image at full opacity."""
        if len(means) == 0:
            return torch.zeros(0, dtype=torch.bool, device=self._device)
        quats = means.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(means), 4).contiguous()
        with torch.no_grad():
            radii = self._project(
                means=means.detach().contiguous(),
                covars=None,
                quats=quats,
                scales=scales.detach().contiguous(),
                **self._view(camera),
                eps2d=DILATION,
                near_plane=NEAR_PLANE,
                packed=False,
            )[0]
        finite = means.isfinite().all(-1) & scales.isfinite().all(-1)
        shown: Tensor = finite & (radii[0] > 0).all(-1)
        return shown

    def _view(self, camera: Camera) -> dict[str, Any]:
        """The camera in gsplat's keywords."""
        options: dict[str, Any] = {"dtype": torch.float32, "device": self._device}
        return {
            "viewmats": torch.as_tensor(camera.world_to_camera, **options)[None].contiguous(),
            "Ks": torch.as_tensor(camera.intrinsics, **options)[None].contiguous(),
            "width": camera.width,
            "height": camera.height,
        }

    def _empty(
        self, gaussians: Gaussians, camera: Camera, background: Tensor | None, with_depth: bool
    ) -> RenderOutput:
        """The view of nothing; tied to the inputs so that backward() finds a graph."""
        zero = sum((t.sum() for t in (gaussians.means, gaussians.colors)), gaussians.means.sum())
        alpha = torch.zeros(camera.height, camera.width, device=self._device) + zero
        ground = torch.zeros(3, device=self._device) if background is None else background
        return RenderOutput(
            image=(1 - alpha)[..., None] * ground,
            alpha=alpha,
            depth=alpha.clone() if with_depth else None,
            radii=torch.zeros(0, 2, dtype=torch.int32, device=self._device),
            means2d=torch.zeros(0, 2, device=self._device, requires_grad=True),
        )


def _probe(means2d: Tensor, track: bool) -> Tensor:
    """A leaf `[M, 2]` with the values of gsplat's `[1, M, 2]`, and its gradient after backward().

    gsplat's gradient is in pixels already; a slice of its tensor would not get `.grad`.
    """
    probe = means2d.detach()[0].clone()
    if track and means2d.requires_grad:
        probe.requires_grad_()

        def receive(gradient: Tensor) -> None:
            probe.grad = gradient[0] if probe.grad is None else probe.grad + gradient[0]

        means2d.register_hook(receive)  # type: ignore[no-untyped-call]
    return probe
