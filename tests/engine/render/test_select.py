"""Choice of the rasterizer: what works is proven, what does not is said."""

import dataclasses
import importlib.util

import pytest
import torch
from torch.utils import cpp_extension

from pcgs_engine.errors import DeviceError
from pcgs_engine.render import cuda_backend, select
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
    monkeypatch.setattr(select, "missing_kernels_reason", lambda: None)
    choice = choose_rasterizer(DeviceChoice.AUTO, 1)
    assert choice.rasterizer.name == "cpu"
    assert "cannot open shared object file" in choice.reason
    assert "\n" not in choice.reason


@pytest.fixture
def plain_gsplat(monkeypatch, tmp_path):
    """gsplat as the package index has it: source, no compiled code; nothing to compile it with."""
    (tmp_path / "gsplat").mkdir()
    (tmp_path / "gsplat" / "__init__.py").write_text("")
    spec = importlib.util.spec_from_file_location("gsplat", tmp_path / "gsplat" / "__init__.py")
    monkeypatch.setattr(cuda_backend.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", None)
    monkeypatch.setattr(cuda_backend.shutil, "which", lambda name: None)
    return tmp_path / "gsplat"


def test_gsplat_without_compiler_or_compiled_code_is_said_with_both_ways_out(
    monkeypatch, plain_gsplat
):
    class NoKernels(CpuRasterizer):
        def __init__(self) -> None:
            raise AttributeError("'NoneType' object has no attribute 'fully_fused_projection'")

    monkeypatch.setattr(select, "missing_cuda_reason", lambda: None)
    monkeypatch.setattr(select, "CudaRasterizer", NoKernels)
    choice = choose_rasterizer(DeviceChoice.AUTO, 1)
    assert choice.rasterizer.name == "cpu"
    assert "without nvcc and ninja and" in choice.reason
    assert f"compiled for torch {torch.__version__}" in choice.reason
    with pytest.raises(DeviceError, match=r"CUDA Toolkit .*; use --device cpu"):
        choose_rasterizer(DeviceChoice.CUDA, 1)


def test_gsplat_that_is_compiled_or_can_be_is_not_said_to_lack_a_compiler(
    monkeypatch, plain_gsplat
):
    assert cuda_backend.missing_kernels_reason()
    (plain_gsplat / "csrc.so").touch()
    assert cuda_backend.missing_kernels_reason() is None
    (plain_gsplat / "csrc.so").unlink()
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", "/usr/local/cuda")
    monkeypatch.setattr(cuda_backend.shutil, "which", lambda name: name)
    assert cuda_backend.missing_kernels_reason() is None


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
