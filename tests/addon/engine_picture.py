"""Run by the engine's Python: splats and a camera from one .npz to a picture in another."""

import sys

import numpy as np
import torch

from pcgs_engine.model.gaussians import Gaussians
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.scene.camera import Camera
from pcgs_engine.splats.spherical_harmonics import colors


def main(given, made):
    data = dict(np.load(given))
    width, height, focal, cx, cy = data["lens"]
    camera = Camera(
        width=int(width), height=int(height), fx=focal, fy=focal, cx=cx, cy=cy,
        world_to_camera=data["world_to_camera"],
    )  # fmt: skip
    rays = data["means"] - camera.centre
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    gaussians = Gaussians(
        means=torch.from_numpy(data["means"]),
        quats=torch.from_numpy(data["quats"]),
        scales=torch.from_numpy(data["scales"]),
        opacities=torch.from_numpy(data["opacities"]),
        colors=torch.from_numpy(colors(data["sh"], rays.astype(np.float32))),
    )
    out = CpuRasterizer(2).render(gaussians, camera, with_depth=True)
    np.savez(made, image=out.image.numpy(), alpha=out.alpha.numpy(), depth=out.depth.numpy())


if __name__ == "__main__":
    sys.path.insert(0, ".")
    main(*sys.argv[1:])
