"""Plain 3DGS from the same images: gsplat's `DefaultStrategy`, our rasterizer and image loss.

    python benchmarks/plain_splats.py ../shared/data/fox --out fox.ply --iterations 3000

The recipe is that of 3DGS (Kerbl et al. 2023) as gsplat's own trainer sets it up: degree 3, its
learning rates and thresholds. Moments of the schedule are the published fractions of 30,000
iterations, except that growth starts no later than after a tenth. A checkpoint every 500
iterations lets an interrupted run go on.
"""

import argparse
import json
import math
import time
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import numpy as np  # noqa: E402
import torch  # noqa: E402
from gsplat.strategy import DefaultStrategy  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402
from torch import Tensor  # noqa: E402

from pcgs_engine.atomic_file import write_atomically  # noqa: E402
from pcgs_engine.kernels.pool import KernelPool  # noqa: E402
from pcgs_engine.model.gaussians import Gaussians  # noqa: E402
from pcgs_engine.model.spherical_harmonics import sh_colors  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.render.rasterizer import RenderOutput  # noqa: E402
from pcgs_engine.scene.camera import Camera  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.scene.scene import Scene  # noqa: E402
from pcgs_engine.splats import SplatCloud  # noqa: E402
from pcgs_engine.splats.ply import write_ply  # noqa: E402
from pcgs_engine.training.image_loss import ImageLoss  # noqa: E402
from pcgs_engine.training.trainer import ALPHA_WEIGHT  # noqa: E402
from pcgs_engine.training.view_sampler import ViewSampler  # noqa: E402

RATES = {
    "means": 1.6e-4,
    "scales": 5e-3,
    "quats": 1e-3,
    "opacities": 5e-2,
    "sh0": 2.5e-3,
    "shN": 2.5e-3 / 20,
}
"""Learning rates; that of the means is times the scene's extent and falls to a hundredth."""
SH_ZERO = 0.28209479177387814
FIRST_OPACITY = 0.1
SAVE_EVERY = 500


class PlainTrainer:
    """Parameters, their optimizers and the strategy that grows and prunes."""

    def __init__(self, scene: Scene, iterations: int, threads: int) -> None:
        torch.manual_seed(0)
        self.scene, self.iterations, self.iteration = scene, iterations, 0
        self.rasterizer = CpuRasterizer(threads=threads)
        self.background = torch.tensor(scene.background, dtype=torch.float32)
        self.loss = ImageLoss(0.2, KernelPool(threads))
        self.order = torch.Generator().manual_seed(1)
        self.sampler = ViewSampler(scene, ImageStore(scene.background), torch.device("cpu"))
        self.strategy = DefaultStrategy(
            refine_start_iter=min(500, iterations // 10), refine_stop_iter=iterations // 2
        )
        self.state = self.strategy.initialize_state(scene_scale=scene.extent)
        self.parameters = torch.nn.ParameterDict(first_parameters(scene))
        self._make_optimizers()

    def _make_optimizers(self) -> None:
        extent = self.scene.extent
        self.optimizers = {
            name: torch.optim.Adam(
                [{"params": value, "lr": RATES[name] * (extent if name == "means" else 1.0)}],
                eps=1e-15,
            )
            for name, value in self.parameters.items()
        }

    @property
    def degree(self) -> int:
        """SH degree in use: one more after every thirtieth of the run, as published."""
        return min(3, 30 * self.iteration // self.iterations)

    def render(self, camera: Camera, *, track: bool = False) -> RenderOutput:
        """Draw the present splats."""
        values, used = self.parameters, (self.degree + 1) ** 2
        sh = torch.cat([values["sh0"], values["shN"][:, : used - 1]], dim=1)
        centre = torch.from_numpy(camera.centre.astype(np.float32))
        gaussians = Gaussians(
            means=values["means"],
            quats=values["quats"],
            scales=values["scales"].exp(),
            opacities=values["opacities"].sigmoid(),
            colors=sh_colors(sh, (values["means"] - centre).detach()),
        )
        return self.rasterizer.render(
            gaussians, camera, background=self.background, track_means2d=track
        )

    def iterate(self) -> float:
        """Take one step; returns the loss."""
        rate = RATES["means"] * self.scene.extent * 0.01 ** (self.iteration / self.iterations)
        self.optimizers["means"].param_groups[0]["lr"] = rate
        drawn = self.sampler.draw(self.order)
        output = self.render(drawn.view.camera, track=True)
        loss = self.loss(output.image, drawn.image, drawn.valid)
        if drawn.alpha is not None:
            loss = loss + ALPHA_WEIGHT * (output.alpha - drawn.alpha).abs().mean()
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        height, width = output.image.shape[:2]
        info = {
            "width": width, "height": height, "n_cameras": 1, "gaussian_ids": None,
            "radii": output.radii[None], "means2d": _with_gradient(output.means2d),
        }  # fmt: skip
        self.strategy.step_post_backward(
            self.parameters, self.optimizers, self.state, self.iteration, info
        )
        self.iteration += 1
        return float(loss.detach())

    def cloud(self) -> SplatCloud:
        """Return the splats."""
        values = {name: value.detach() for name, value in self.parameters.items()}
        return SplatCloud(
            means=values["means"].numpy(),
            scales=values["scales"].exp().numpy(),
            quats=torch.nn.functional.normalize(values["quats"], dim=1).numpy(),
            opacities=values["opacities"].sigmoid().numpy(),
            sh=torch.cat([values["sh0"], values["shN"]], dim=1).numpy(),
        )

    def save(self, path: Path) -> None:
        """Write all that `load` needs to go on."""
        moments = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        body = {
            "iteration": self.iteration, "parameters": dict(self.parameters), "moments": moments,
            "strategy": self.state, "order": self.order.get_state(), "views": self.sampler.order,
            "random": torch.get_rng_state(),
        }  # fmt: skip
        write_atomically(path, lambda stream: torch.save(body, stream))

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        body = torch.load(path, weights_only=True)
        self.iteration, self.state = body["iteration"], body["strategy"]
        self.parameters = torch.nn.ParameterDict(body["parameters"])
        self._make_optimizers()
        for name, state in body["moments"].items():
            self.optimizers[name].load_state_dict(state)
        self.order.set_state(body["order"])
        self.sampler.order = body["views"]
        torch.set_rng_state(body["random"])


def first_parameters(scene: Scene) -> dict[str, torch.nn.Parameter]:
    """Return one Gaussian per sparse point, as wide as its three neighbours are far."""
    points = torch.from_numpy(scene.points.astype(np.float32))
    distances, _ = cKDTree(scene.points).query(scene.points, k=4, workers=1)
    width = np.sqrt(np.square(distances[:, 1:]).mean(axis=1)).clip(1e-7)
    count = len(points)
    colors = torch.from_numpy(scene.point_colors.astype(np.float32) / 255.0)
    values = {
        "means": points,
        "scales": torch.from_numpy(np.log(width).astype(np.float32))[:, None].repeat(1, 3),
        "quats": torch.nn.functional.normalize(torch.rand(count, 4), dim=1),
        "opacities": torch.full((count,), math.log(FIRST_OPACITY / (1 - FIRST_OPACITY))),
        "sh0": ((colors - 0.5) / SH_ZERO)[:, None],
        "shN": torch.zeros(count, 15, 3),
    }
    return {name: torch.nn.Parameter(value) for name, value in values.items()}


def _with_gradient(means2d: Tensor) -> Tensor:
    """Return pixel means `[1, M, 2]` whose gradient is there, as the strategy wants them."""
    batch = means2d.detach()[None]
    found = means2d.grad
    batch.grad = torch.zeros_like(batch) if found is None else found[None]
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="SPLATS.ply")
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scene = load_scene(options.scene, max_size=options.size)
    trainer = PlainTrainer(scene, options.iterations, options.threads)
    checkpoint, start = options.out.with_suffix(".checkpoint.pt"), time.monotonic()
    if checkpoint.is_file():
        trainer.load(checkpoint)
    while trainer.iteration < trainer.iterations:
        loss = trainer.iterate()
        if trainer.iteration % SAVE_EVERY == 0:
            trainer.save(checkpoint)
            line = {"iteration": trainer.iteration, "loss": loss,
                    "splats": len(trainer.parameters["means"]),
                    "seconds": time.monotonic() - start}  # fmt: skip
            print(json.dumps(line), flush=True)
    write_ply(options.out, trainer.cloud())
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
