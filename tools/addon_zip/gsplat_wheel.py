"""A compiled gsplat wheel: torch, CUDA and GPU architectures in, a `.whl` for them out.

The package index has gsplat as source that compiles itself at first use, which needs NVIDIA's
compiler on the user's computer. This compiles the locked source once, unchanged but for its
version, in a Python that has the very torch it is for. Set Up Engine takes it from a wheel folder.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .download import IndexFile, digest_of, download

__all__ = ["CudaTools", "GsplatWheel", "build_gsplat_wheel", "checked_tools"]

OLDEST_ARCH = (7, 0)
"""Older GPUs lack what gsplat's kernels use (`labeled_partition`)."""
ASK_PYTHON = """\
import importlib.util, json, sys
missing = [n for n in ('pip', 'setuptools', 'ninja') if not importlib.util.find_spec(n)]
if sys.version_info[:2] < (3, 11): missing.append('Python 3.11 or newer')
try:
    import torch
    found = [torch.__version__, torch.version.cuda or '']
except ImportError:
    found = ['', '']
print(json.dumps({'missing': missing, 'torch': found[0], 'cuda': found[1]}))
"""
TORCH_VARIABLES = ("TORCH_CUDA_ARCH_LIST", "BUILD_NO_CUDA", "BUILD_3DGS", "BUILD_2DGS")


@dataclass(frozen=True, slots=True, kw_only=True)
class GsplatWheel:
    """Which one."""

    torch: str
    """For example 2.13.0."""
    cuda: str
    """For example 13.0."""
    architectures: tuple[str, ...]
    """Compute capabilities, for example 8.0 and 9.0."""

    @property
    def label(self) -> str:
        """Local version: what it was compiled for; addon/setup/torch_build.py reads it."""
        plain = [arch.replace(".", "") for arch in self.architectures]
        return f"pt{self.torch}.cu{self.cuda.replace('.', '')}." + ".".join(
            f"sm{arch}" for arch in plain
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaTools:
    """What compiles it."""

    python: str
    home: Path
    """CUDA_HOME: has bin/nvcc."""


def checked_tools(wanted: GsplatWheel, python: str, home: Path | None) -> CudaTools:
    """Return the tools, all of which fit the wanted wheel.

    Raises:
        ValueError: something is missing or does not fit; the message says what to install.
    """
    for arch in wanted.architectures:
        if not re.fullmatch(r"\d{1,2}\.\d", arch):
            raise ValueError(f"--arch {arch}: wanted compute capabilities such as 8.6 9.0")
        if tuple(map(int, arch.split("."))) < OLDEST_ARCH:
            raise ValueError(f"--arch {arch}: gsplat needs 7.0 or newer")
    _check_torch(wanted, python)
    found = home or _cuda_home()
    if found is None:
        raise ValueError(
            f"nvcc, the compiler of CUDA {wanted.cuda}, was not found; install NVIDIA's CUDA "
            f"Toolkit {wanted.cuda} and set CUDA_HOME to its folder, or name it with --cuda-home"
        )
    _check_nvcc(wanted, found)
    if os.name != "nt" and shutil.which(os.environ.get("CXX", "c++")) is None:
        raise ValueError("no C++ compiler was found; install g++ (or set CXX) and run this again")
    return CudaTools(python=python, home=found)


def _check_torch(wanted: GsplatWheel, python: str) -> None:
    try:
        done = subprocess.run(
            [python, "-c", ASK_PYTHON], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ValueError(f"--python {python} cannot be started: {error.strerror}") from error
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"--python {python} does not work: {told}")
    found = json.loads(done.stdout)
    install = f"run `{python} -m pip install torch==={wanted.torch} setuptools ninja`"
    if found["torch"].partition("+")[0] != wanted.torch:
        raise ValueError(
            f"{python} has torch {found['torch'] or 'not at all'}, wanted {wanted.torch}: the "
            f"wheel works with the torch it is compiled with and no other; {install}"
        )
    if found["cuda"] != wanted.cuda:
        raise ValueError(
            f"torch {found['torch']} of {python} is built "
            f"{'with CUDA ' + found['cuda'] if found['cuda'] else 'without CUDA'}, wanted "
            f"{wanted.cuda}; {install} from an index that has this build of it"
        )
    if found["missing"]:
        raise ValueError(f"{python} lacks {', '.join(found['missing'])}; {install}")


def _cuda_home() -> Path | None:
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(name):
            return Path(os.environ[name])
    program = shutil.which("nvcc")
    if program is None:
        return None
    folder = Path(program).resolve().parent.parent
    usual = Path("/usr/local/cuda")  # where a script on the path leads to
    return folder if (folder / "include").is_dir() and (folder / "nvvm").is_dir() else usual


def _check_nvcc(wanted: GsplatWheel, home: Path) -> None:
    nvcc = home / "bin" / ("nvcc.exe" if os.name == "nt" else "nvcc")
    try:
        done = subprocess.run([str(nvcc), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"{nvcc} cannot be run; name the folder of NVIDIA's CUDA Toolkit {wanted.cuda} with "
            "--cuda-home"
        ) from error
    release = re.search(r"release (\d+)\.(\d+)", done.stdout)
    found = f"{release[1]}.{release[2]}" if release else "unknown"
    if found.partition(".")[0] != wanted.cuda.partition(".")[0]:
        raise ValueError(
            f"{nvcc} is of CUDA {found}, wanted {wanted.cuda} as torch has it; install that CUDA "
            "Toolkit, or name its folder with --cuda-home"
        )
    for header in ("cuda_runtime.h", "cublas_v2.h", "cusparse.h", "cusolverDn.h"):
        if not (home / "include" / header).is_file():
            raise ValueError(
                f"{home / 'include'} lacks {header}; install the whole CUDA Toolkit {wanted.cuda} "
                "(cublas, cusparse and cusolver with their headers) or name it with --cuda-home"
            )


def build_gsplat_wheel(
    wanted: GsplatWheel, source: IndexFile, tools: CudaTools, output: Path, cache: Path, jobs: int
) -> Path:
    """Compile; takes minutes for each architecture. Returns the wheel in `output`.

    Raises:
        DownloadError: the source could not be had.
        ValueError: it does not compile; the text is the compiler's last error.
        OSError: a folder cannot be written, or the disk is full.
    """
    archive = _source_archive(source, tools.python, cache)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gsplat-", dir=cache) as scratch:
        with tarfile.open(archive) as packed:
            # Python has filters from 3.11.4 on; the archive's locked hash was checked anyway.
            checked = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            packed.extractall(scratch, **checked)  # noqa: S202
        folder = next(Path(scratch).iterdir())
        _label_version(folder / "gsplat" / "version.py", source.version, wanted.label)
        command = [tools.python, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-build-isolation", "--wheel-dir", str(Path(scratch) / "wheel"), "."]
        done = subprocess.run(
            command, cwd=folder, env=_environment(wanted, tools, jobs),
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(_compile_failure(done.stdout + done.stderr))
        wheel = next((Path(scratch) / "wheel").glob("gsplat-*.whl"))
        if wheel.name.endswith("-any.whl"):
            raise ValueError(f"{wheel.name}: setup.py compiled nothing, though it did not fail")
        return Path(shutil.copy2(wheel, output / wheel.name))


def _source_archive(source: IndexFile, python: str, cache: Path) -> Path:
    """Return the locked source; its own setup.py asks for torch even to be downloaded."""
    path = cache / source.pattern
    if not path.is_file() or digest_of(path) != source.sha256:
        options = ["--no-build-isolation", f"--no-binary={source.name}"]
        plain = {**os.environ, "BUILD_NO_CUDA": "1"}
        download(source, cache, options, python=python, environment=plain)
    return path


def _label_version(file: Path, version: str, label: str) -> None:
    text = file.read_text(encoding="utf-8")
    changed = text.replace(f'"{version}"', f'"{version}+{label}"')
    if changed == text:
        raise ValueError(f"gsplat's {file.name} does not name version {version}: {text.strip()!r}")
    file.write_text(changed, encoding="utf-8")


def _environment(wanted: GsplatWheel, tools: CudaTools, jobs: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in TORCH_VARIABLES}
    programs = f"{Path(tools.python).parent}{os.pathsep}{tools.home / 'bin'}{os.pathsep}"
    return {
        **kept,
        "CUDA_HOME": str(tools.home),
        "TORCH_CUDA_ARCH_LIST": ";".join(wanted.architectures),
        "MAX_JOBS": str(jobs),
        "PATH": programs + kept.get("PATH", ""),  # ninja lies beside the Python
    }


def _compile_failure(output: str) -> str:
    lines = [line.strip() for line in output.splitlines()]
    errors: Sequence[str] = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    told = (errors or [line for line in lines if line] or ["no message"])[0]
    return (
        f"gsplat does not compile: {told}; is the C++ compiler one that this CUDA knows? Less "
        "memory is needed with --jobs 1"
    )
