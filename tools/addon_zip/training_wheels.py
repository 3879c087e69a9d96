"""The wheels of the engine flavour: engine.lock, a platform and a Python in, checked files out.

They are what "Set Up Engine" installs where nothing has CUDA. For Windows and macOS all of them are
in the lock. For Linux the package index has torch with CUDA only, and that needs gigabytes of
NVIDIA's libraries: there the zip takes torch's CPU build, which is not on the index and has no
hash in the lock, so it must be asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .download import DownloadError, IndexFile, fetched
from .engine_lock import LockedFile, read_engine_lock

__all__ = ["TrainingWheels", "UncheckedSource", "collect_training_wheels"]

CPU_LABEL = "cpu"
"""Torch's name for its build without CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UncheckedSource:
    """Where torch's CPU build for Linux may come from."""

    accepted: bool
    """Whether a file without a hash in the lock is wanted."""
    index: str
    """Address of torch's own index; empty: the one that pip is set to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWheels:
    """What goes into the zip's folder."""

    files: tuple[Path, ...]
    unchecked: tuple[Path, ...]
    """Those that were compared with no hash."""
    note: str
    """Which torch was taken and why, with sizes; empty where there is no choice."""


def collect_training_wheels(
    repository: Path,
    platform: str,
    python: str,
    folders: Sequence[Path],
    cache: Path,
    source: UncheckedSource,
) -> TrainingWheels:
    """Collect what trains on the CPU of `platform`; see `download.fetched`.

    Raises:
        DownloadError: a file could not be had or is another one.
        ValueError: nothing is locked for it, or torch without a hash was not accepted.
    """
    locked = [
        file
        for file in read_engine_lock(repository)
        if platform in file.platforms and python in file.pythons
    ]
    torch = next((file for file in locked if file.name == "torch"), None)
    if torch is None:
        raise ValueError(
            f"{platform}, Python {python}: torch has no wheels for it, so there is no engine zip; "
            "build --flavour viewer"
        )
    plain = _one_a_package([file for file in locked if not file.cuda_only])
    cuda_torch = any(file.cuda_only and file.name.startswith("nvidia-") for file in locked)
    if not cuda_torch:
        files = [fetched(_index_file(file, python), folders, cache) for file in plain]
        return TrainingWheels(files=tuple(files), unchecked=(), note="")
    note = _note(locked, plain)
    if not source.accepted:
        raise ValueError(
            f"{platform}, Python {python}: {note}. That torch has no hash in engine.lock and "
            "cannot be checked; pass --accept-unchecked to take it all the same"
        )
    others = [file for file in plain if file.name != "torch"]
    files = [fetched(_index_file(file, python), folders, cache) for file in others]
    special = _cpu_torch(torch, python, folders, cache, source)
    return TrainingWheels(files=(*files, special), unchecked=(special,), note=note)


def _one_a_package(files: Sequence[LockedFile]) -> list[LockedFile]:
    """Where a package has several files that fit, take one, always the same: the newest tag's."""
    chosen: dict[str, LockedFile] = {}
    for file in sorted(files, key=lambda file: file.file):
        chosen[file.name] = file
    return list(chosen.values())


def _note(locked: Sequence[LockedFile], plain: Sequence[LockedFile]) -> str:
    torch = next(file for file in plain if file.name == "torch")
    cuda = sum(f.size for f in locked if f.cuda_only) + sum(f.size for f in plain)
    rest = sum(file.size for file in plain if file is not torch)
    return (
        f"with the torch of the package index the wheels are {cuda / 1e6:,.0f} MB "
        f"(CUDA), so the zip takes torch {torch.version}+{CPU_LABEL} beside {rest / 1e6:,.0f} MB "
        "of others"
    )


def _cpu_torch(
    torch: LockedFile,
    python: str,
    folders: Sequence[Path],
    cache: Path,
    source: UncheckedSource,
) -> Path:
    tag = _tag(python)
    version = f"{torch.version}+{CPU_LABEL}"
    wanted = IndexFile(
        name="torch",
        version=version,
        pattern=f"torch-{version}-{tag}-{tag}-*x86_64.whl",
        sha256="",
        tags=_options(torch, python),
    )
    try:
        options = ["--index-url", source.index] if source.index else []
        return fetched(wanted, folders, cache, options)
    except DownloadError as error:
        raise DownloadError(
            f"{error}. Torch keeps its CPU builds on an index of its own: name it with "
            "--torch-index"
        ) from error


def _index_file(file: LockedFile, python: str) -> IndexFile:
    return IndexFile(
        name=file.name,
        version=file.version,
        pattern=file.file,
        sha256=file.sha256,
        tags=_options(file, python),
    )


def _options(file: LockedFile, python: str) -> tuple[str, ...]:
    """Return the options that make pip take this very file on any machine."""
    platforms = file.file.removesuffix(".whl").rsplit("-", 1)[-1].split(".")
    options = [f"--platform={tag}" for tag in platforms]
    return (*options, f"--python-version={python}", "--implementation=cp", f"--abi={_tag(python)}")


def _tag(python: str) -> str:
    return "cp" + re.sub(r"\D", "", python)
