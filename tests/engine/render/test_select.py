"""Choice of the rasterizer: what works is proven, what does not is said."""

import dataclasses

import pytest
import torch

from pcgs_engine.errors import DeviceError
from pcgs_engine.render import select
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.cuda_backend import DeviceChoice
from pcgs_engine.render.select import choose_rasterizer, probe_rasterizer


def test_choose_rasterizer_cpu_asked_for_gives_cpu():
    choice = choose_rasterizer(DeviceChoice.CPU, 2)
    assert choice.rasterizer.name == "cpu"
    assert choice.rasterizer.device == torch.device("cpu")
    assert "asked for" in choice.reason


def test_choose_rasterizer_auto_without_gpu_gives_cpu_and_says_why(monkeypatch):
    monkeypatch.setattr(select, "missing_cuda_reason", lambda: "torch finds no CUDA device")
    choice = choose_rasterizer(DeviceChoice.AUTO, 1)
    assert choice.rasterizer.name == "cpu"
    assert choice.reason == "no usable gpu: torch finds no CUDA device"


def test_choose_rasterizer_gpu_asked_for_but_absent_raises(monkeypatch):
    monkeypatch.setattr(select, "missing_cuda_reason", lambda: "torch finds no CUDA device")
    with pytest.raises(DeviceError, match="torch finds no CUDA device; use --device cpu"):
        choose_rasterizer(DeviceChoice.CUDA, 1)


def test_choose_rasterizer_gpu_that_fails_when_drawing_is_not_used(monkeypatch):
    class Broken(CpuRasterizer):
        def __init__(self) -> None:
            super().__init__(1)

        def render(self, *_args, **_options):
            raise ImportError("gsplat_cuda.so: cannot open shared object file\nmore lines")

    monkeypatch.setattr(select, "missing_cuda_reason", lambda: None)
    monkeypatch.setattr(select, "CudaRasterizer", Broken)
    choice = choose_rasterizer(DeviceChoice.AUTO, 1)
    assert choice.rasterizer.name == "cpu"
    assert "cannot open shared object file" in choice.reason
    assert "\n" not in choice.reason


def test_probe_rasterizer_that_draws_wrongly_is_found_out():
    class Dim(CpuRasterizer):
        def render(self, *args, **options):
            output = super().render(*args, **options)
            return dataclasses.replace(output, image=output.image * 0.9)

    assert probe_rasterizer(CpuRasterizer(1)) is None
    assert "wrong" in (probe_rasterizer(Dim(1)) or "")


def test_probe_rasterizer_without_gradients_is_found_out():
    class Flat(CpuRasterizer):
        def render(self, gaussians, camera, **options):
            output = super().render(gaussians, camera, **options)
            return dataclasses.replace(output, image=output.image + 0 * gaussians.means.sum())

    class Wrong(Flat):
        def render(self, gaussians, camera, **options):
            output = super().render(gaussians, camera, **options)
            return dataclasses.replace(
                output, image=output.image.detach() + 0 * gaussians.means.sum()
            )

    assert probe_rasterizer(Flat(1)) is None
    assert "gradients" in (probe_rasterizer(Wrong(1)) or "")
