"""build_addon.py gsplat: what it refuses, how it calls the compiler; nothing is compiled here."""

import json
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import build_addon  # noqa: E402 - lies beside the packages, not in one
from tools.addon_zip.download import IndexFile, digest_of  # noqa: E402
from tools.addon_zip.gsplat_wheel import (  # noqa: E402
    CudaTools,
    GsplatWheel,
    build_gsplat_wheel,
    checked_tools,
)
from tools.addon_zip.wheel_lock import locked_source, read_lock  # noqa: E402

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stands in for programs with sh scripts")
WANTED = GsplatWheel(torch="2.13.0", cuda="13.0", architectures=("8.6", "9.0"))
Program = Callable[..., str]


@pytest.fixture
def python(tmp_path: Path) -> Program:
    """A Python that says of itself what a test wants."""

    def write(
        torch: str = "2.13.0+cu130", cuda: str = "13.0", missing: tuple[str, ...] = ()
    ) -> str:
        answer = json.dumps({"missing": list(missing), "torch": torch, "cuda": cuda})
        path = tmp_path / "bin" / "python"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{answer}'\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def toolkit(tmp_path: Path) -> Path:
    """A CUDA Toolkit 13.0 by its looks."""
    home = tmp_path / "cuda"
    (home / "bin").mkdir(parents=True)
    (home / "include").mkdir()
    (home / "bin" / "nvcc").write_text("#!/bin/sh\necho 'Cuda tools, release 13.0, V13.0.88'\n")
    (home / "bin" / "nvcc").chmod(0o755)
    for header in ("cuda_runtime.h", "cublas_v2.h", "cusparse.h", "cusolverDn.h"):
        (home / "include" / header).touch()
    return home


def refusal(wanted: GsplatWheel, python: str, home: Path | None) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        checked_tools(wanted, python, home)
    return str(caught.value)


def test_tools_that_fit_are_taken(python: Program, toolkit: Path) -> None:
    assert checked_tools(WANTED, python(), toolkit).home == toolkit


@pytest.mark.parametrize(
    ("torch", "cuda", "message"),
    [
        ("", "", "has torch not at all, wanted 2.13.0"),
        ("2.12.1+cu130", "13.0", "has torch 2.12.1+cu130, wanted 2.13.0"),
        ("2.13.0+cpu", "", "is built without CUDA, wanted 13.0"),
        ("2.13.0+cu128", "12.8", "is built with CUDA 12.8, wanted 13.0"),
    ],
)
def test_other_torch_is_refused_with_the_command_that_installs_it(
    python: Program, toolkit: Path, torch: str, cuda: str, message: str
) -> None:
    told = refusal(WANTED, python(torch, cuda), toolkit)
    assert message in told
    assert "-m pip install torch===2.13.0" in told


def test_python_without_build_tools_is_refused(python: Program, toolkit: Path) -> None:
    assert "lacks ninja; run" in refusal(WANTED, python(missing=("ninja",)), toolkit)


def test_missing_nvcc_is_told_with_what_to_install(
    python: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = python()
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = refusal(WANTED, program, None)
    assert "nvcc, the compiler of CUDA 13.0, was not found" in told
    assert "--cuda-home" in told


def test_nvcc_of_another_cuda_is_refused(python: Program, toolkit: Path) -> None:
    (toolkit / "bin" / "nvcc").write_text("#!/bin/sh\necho 'release 12.8, V12.8.1'\n")
    assert "is of CUDA 12.8, wanted 13.0" in refusal(WANTED, python(), toolkit)


def test_toolkit_without_library_headers_is_refused(python: Program, toolkit: Path) -> None:
    (toolkit / "include" / "cublas_v2.h").unlink()
    assert "lacks cublas_v2.h; install the whole" in refusal(WANTED, python(), toolkit)


@pytest.mark.parametrize(("arch", "message"), [("6.1", "7.0 or newer"), ("sm_90", "such as 8.6")])
def test_architecture_that_cannot_be_is_refused(
    python: Program, toolkit: Path, arch: str, message: str
) -> None:
    wanted = GsplatWheel(torch="2.13.0", cuda="13.0", architectures=(arch,))
    assert message in refusal(wanted, python(), toolkit)


def test_command_line_refuses_in_one_line(
    python: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ["--torch", "2.13.0", "--cuda", "13.0", "--arch", "9.0", "--python", python("", "")]
    assert build_addon.main(["gsplat", *options, "--build", str(tmp_path / "build")]) == 1
    assert "has torch not at all" in caplog.text


PIP = """\
#!/bin/sh
[ "$3" = wheel ] || exit 9
[ -z "$FAILS" ] || { echo "kernel.cu(3): error: no such thing"; exit 1; }
version=$(sed -n 's/__version__ = "\\(.*\\)"/\\1/p' gsplat/version.py)
mkdir -p ../wheel
wheel=../wheel/gsplat-$version-cp311-cp311-linux_x86_64.whl
echo "$TORCH_CUDA_ARCH_LIST $MAX_JOBS $CUDA_HOME" > "$wheel"
"""


@pytest.fixture
def source(tmp_path: Path) -> IndexFile:
    """gsplat's source, as far as the build looks into it, where it was downloaded to."""
    cache = tmp_path / "cache"
    version = tmp_path / "gsplat-1.5.3" / "gsplat" / "version.py"
    version.parent.mkdir(parents=True)
    version.write_text('__version__ = "1.5.3"\n')
    cache.mkdir()
    path = cache / "gsplat-1.5.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "gsplat-1.5.3", "gsplat-1.5.3")
    return IndexFile(name="gsplat", version="1.5.3", pattern=path.name, sha256=digest_of(path))


@pytest.fixture
def tools(tmp_path: Path, toolkit: Path) -> CudaTools:
    program = tmp_path / "python"
    program.write_text(PIP)
    program.chmod(0o755)
    return CudaTools(python=str(program), home=toolkit)


def test_wheel_names_torch_cuda_and_gpus_and_is_compiled_for_them(
    source: IndexFile, tools: CudaTools, tmp_path: Path
) -> None:
    path = build_gsplat_wheel(WANTED, source, tools, tmp_path / "out", tmp_path / "cache", 3)
    assert path.name == "gsplat-1.5.3+pt2.13.0.cu130.sm86.sm90-cp311-cp311-linux_x86_64.whl"
    assert path.read_text() == f"8.6;9.0 3 {tools.home}\n"
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [source.pattern]


def test_compiler_that_fails_is_told_by_its_first_error(
    source: IndexFile, tools: CudaTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "1")
    with pytest.raises(ValueError, match=r"does not compile: kernel.cu\(3\): error: no such"):
        build_gsplat_wheel(WANTED, source, tools, tmp_path / "out", tmp_path / "cache", 1)


def test_source_of_gsplat_is_locked() -> None:
    lock = read_lock(REPOSITORY / "wheels" / "wheels.lock")
    assert locked_source(lock, "gsplat").pattern == "gsplat-1.5.3.tar.gz"
    with pytest.raises(ValueError, match="no source of torch; run `python build_addon"):
        locked_source(lock, "torch")
