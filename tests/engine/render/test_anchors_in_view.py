"""Anchors in view: training pictures show whatever viewers show, and little more is asked for."""

import numpy as np
import pytest
import torch

from pcgs_engine.model.gaussians import Gaussians
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.reference_backend import ReferenceRasterizer
from pcgs_engine.scene.camera import Camera

CAMERA = Camera(width=48, height=32, fx=40.0, fy=40.0, cx=24.0, cy=16.0, world_to_camera=np.eye(4))
ANCHORS, WIDTH = 400, 4


def random_anchors(seed):
    """Anchors all around the camera, some behind it, whose Gaussians reach far from them."""
    rng = torch.Generator().manual_seed(seed)
    positions = 4.0 * torch.rand(ANCHORS, 3, generator=rng) - 2.0
    scaling = 0.6 * torch.rand(ANCHORS, 6, generator=rng).square()
    offsets = torch.randn(ANCHORS, WIDTH, 3, generator=rng)
    mask = torch.rand(ANCHORS, WIDTH, generator=rng) < 0.3
    return positions, scaling, offsets, mask


def drawn(rasterizer, positions, scaling, offsets, mask, seed):
    rng = torch.Generator().manual_seed(seed)
    shape = (ANCHORS, WIDTH)
    parts = torch.rand(*shape, 3, generator=rng)
    gaussians = Gaussians(
        means=(positions[:, None] + offsets * scaling[:, None, :3])[mask],
        quats=torch.randn(*shape, 4, generator=rng)[mask],
        scales=(scaling[:, None, 3:] * parts)[mask],
        opacities=torch.rand(shape, generator=rng)[mask],
        colors=torch.rand(*shape, 3, generator=rng)[mask],
    )
    return rasterizer.render(gaussians, CAMERA).image


@pytest.mark.parametrize("rasterizer", [CpuRasterizer(1), ReferenceRasterizer()])
@pytest.mark.parametrize("seed", range(4))
def test_pictures_of_the_anchors_in_view_are_those_of_all_anchors(rasterizer, seed):
    *state, mask = random_anchors(seed)
    rows = rasterizer.anchors_in_view(CAMERA, *state, mask)
    assert torch.equal(rows, rows.unique(sorted=True))
    assert 0 < len(rows) < 0.7 * int(mask.any(dim=1).sum())
    shown = torch.zeros_like(mask)
    shown[rows] = mask[rows]
    found, wanted = (drawn(rasterizer, *state, part, seed) for part in (shown, mask))
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_an_anchor_behind_the_camera_is_in_view_by_a_gaussian_before_it():
    positions = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0]])
    scaling = torch.full((2, 6), 0.1)
    offsets = torch.tensor([[[0.0, 0.0, 30.0]], [[0.0, 0.0, 1.0]]])
    state = (positions, scaling, offsets)
    present = torch.ones(2, 1, dtype=torch.bool)
    assert CpuRasterizer(1).anchors_in_view(CAMERA, *state, present).tolist() == [0]
    assert CpuRasterizer(1).anchors_in_view(CAMERA, *state, ~present).tolist() == []
