"""Projection of both our rasterizers against gsplat's own torch formulas (gsplat 1.5.3).

gsplat's package is only read for its formulas: its compositing needs a GPU.
"""

import importlib

import numpy as np
import pytest
import torch

from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.reference_backend import project
from pcgs_engine.scene.camera import Camera

pytest.importorskip("gsplat", reason="gsplat is not installed")

CAMERA = Camera(
    width=90,
    height=70,
    fx=80.0,
    fy=100.0,
    cx=30.0,
    cy=41.0,
    world_to_camera=np.array(
        [[0.8, 0.0, 0.6, 0.1], [0.0, 1.0, 0.0, -0.2], [-0.6, 0.0, 0.8, 3.0], [0, 0, 0, 1.0]]
    ),
)


@pytest.fixture(scope="module")
def formulas():
    return importlib.import_module("gsplat.cuda._torch_impl")


@pytest.fixture(scope="module")
def scene():
    rng = torch.Generator().manual_seed(3)
    return {
        "means": torch.randn(500, 3, generator=rng, dtype=torch.float64) * 2,
        "quats": torch.randn(500, 4, generator=rng, dtype=torch.float64),
        "scales": (0.5 * torch.randn(500, 3, generator=rng, dtype=torch.float64) - 2).exp(),
    }


@pytest.fixture(scope="module")
def expected(formulas, scene):
    covars, _ = formulas._quat_scale_to_covar_preci(scene["quats"], scene["scales"])
    radii, means2d, depths, conics, _ = formulas._fully_fused_projection(
        scene["means"],
        covars,
        torch.tensor(CAMERA.world_to_camera)[None],
        torch.tensor(CAMERA.intrinsics)[None],
        CAMERA.width,
        CAMERA.height,
        near_plane=0.2,
    )
    return radii[0], means2d[0], depths[0], conics[0]


def test_projection_reference_against_gsplat_agrees(scene, expected):
    radii, means2d, depths, conics = expected
    ours = project(**scene, opacities=torch.ones(500, dtype=torch.float64), camera=CAMERA)
    shown = (ours.radii > 0).all(-1)
    # gsplat's torch twin takes 3.33 standard deviations whatever the opacity; so do we at 1.
    assert 50 < shown.sum() < 450
    assert torch.equal(shown, (radii > 0).all(-1))
    inverse = torch.linalg.inv(ours.covariances)[shown]
    triangle = torch.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], -1)
    assert torch.allclose(triangle, conics[shown], rtol=1e-9, atol=1e-12)
    assert torch.allclose(ours.means2d[shown], means2d[shown], rtol=1e-9)
    assert torch.allclose(ours.depths[shown], depths[shown], rtol=1e-12)


def test_projection_cpu_against_gsplat_agrees(scene, expected):
    radii, means2d, depths, conics = expected
    arrays = [scene[name].float().numpy() for name in ("means", "quats", "scales")]
    colors, opacities = np.zeros((500, 3), np.float32), np.ones(500, np.float32)
    plan = CpuRasterizer(1).plan_tiles(CAMERA, *arrays, opacities, colors)
    order = torch.from_numpy(plan.order.astype(np.int64))
    assert set(order.tolist()) == set((radii > 0).all(-1).nonzero()[:, 0].tolist())
    packed = torch.from_numpy(plan.packed).double()
    # Inputs were rounded to float32.
    assert torch.allclose(packed[:, 0:2], means2d[order], rtol=1e-5, atol=1e-4)
    assert torch.allclose(packed[:, 2], depths[order], rtol=1e-6)
    assert torch.allclose(packed[:, 3:6], conics[order], rtol=1e-4, atol=1e-7)
    assert (packed[1:, 2] >= packed[:-1, 2]).all()
