"""docs/third-party.md: both locks in, a table of all that others made and PCGS hands on, out.

Licences come from the packages' metadata on the index (`pip install --dry-run --report`), so no
wheel is downloaded. Texts are in the zips' own THIRD_PARTY.md.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .download import PIP, DownloadError, pip_failure
from .engine_lock import LockedFile, read_engine_lock
from .native_library import compiled_in
from .private_tool import private_python
from .third_party import licence_of
from .wheel_lock import SOURCE, read_lock

__all__ = ["PAGE", "Row", "listed_packages", "refresh_page"]

PAGE = Path("docs", "third-party.md")
PIP_WITH_REPORTS = "pip==26.3"
"""The first versions with reports downloaded the wheels for them."""
BUNDLED, ENGINE, CUDA = "every zip", "engine zips, Set Up", "Set Up with an NVIDIA GPU"
HEAD = """\
# Third-party software

PCGS is GPL-3.0-or-later ([LICENSE](../LICENSE)). What others made and PCGS hands on or installs
is below; every zip carries the licence texts of what is in it as `THIRD_PARTY.md`. Made by
`python build_addon.py lock` from `wheels/wheels.lock`, `addon/setup/engine.lock` and the packages'
own metadata.

NVIDIA's libraries are proprietary. No zip carries them: *Set Up* downloads them from the package
index to the user's computer, only with the CUDA build, into an environment of its own. The engine
works without them.

| package | version | licence | handed on in |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    version: str
    place: str


def listed_packages(repository: Path) -> list[Row]:
    """Return every package in the locks, once a version."""
    locked = read_lock(repository / "wheels" / "wheels.lock")
    bundled = {
        Row(name=wheel.name, version=wheel.version, place=BUNDLED)
        for wheel in locked
        if wheel.python_tag != SOURCE
    }
    names = {(row.name, row.version) for row in bundled}
    engine = {
        Row(name=file.name, version=file.version, place=CUDA if file.cuda_only else ENGINE)
        for file in read_engine_lock(repository)
        if (file.name, file.version) not in names
    }
    order = [BUNDLED, ENGINE, CUDA]
    return sorted(bundled | engine, key=lambda row: (order.index(row.place), row.name, row.version))


def refresh_page(repository: Path, tools: Path) -> Path:
    """Ask the package index for the licences and write the page; returns its path.

    Raises:
        DownloadError: the index cannot be asked.
    """
    licences = _licences(read_engine_lock(repository), tools)
    lines = [
        f"| {name} | with the compiler | {licence} | "
        f"{'every zip' if name in compiled_in('linux-x64') else 'Windows zips'}, in the C library |"
        for name, licence in compiled_in("windows-x64").items()
    ]
    lines += [
        f"| {row.name} | {row.version} | {licences[row.name, row.version]} | {row.place} |"
        for row in listed_packages(repository)
    ]
    path = repository / PAGE
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _licences(files: Sequence[LockedFile], tools: Path) -> dict[tuple[str, str], str]:
    python = private_python(PIP_WITH_REPORTS, tools / "pip")
    found: dict[tuple[str, str], str] = {}
    for group in _groups(files):
        for name, version, licence in _reported(python, group):
            found[name, version] = licence
    return found


def _groups(files: Iterable[LockedFile]) -> Iterator[list[LockedFile]]:
    """Yield one file of every package and version, those of a platform and Python together."""
    groups: dict[tuple[str, str], dict[tuple[str, str], LockedFile]] = {}
    seen: set[tuple[str, str]] = set()
    for file in files:
        if (file.name, file.version) not in seen:
            seen.add((file.name, file.version))
            target = (file.platforms[0], file.pythons[0])
            groups.setdefault(target, {})[file.name, file.version] = file
    yield from (list(group.values()) for group in groups.values())


def _reported(python: Path, files: Sequence[LockedFile]) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and licence of files that are for the same platform and Python."""
    tags = {tag for file in files for tag in file.file[:-4].rsplit("-", 1)[-1].split(".")}
    with tempfile.TemporaryDirectory() as scratch:
        report, wanted = Path(scratch) / "report.json", Path(scratch) / "requirements.txt"
        lines = (f"{file.name}==={file.version} --hash=sha256:{file.sha256}\n" for file in files)
        wanted.write_text("".join(lines), encoding="utf-8")
        command = [str(python), "-m", "pip", "install", *PIP, "--quiet", "--dry-run"]
        command += ["--no-deps", "--only-binary=:all:", "--target", scratch]
        command += [f"--python-version={files[0].pythons[0]}", "--implementation=cp"]
        command += [f"--platform={tag}" for tag in sorted(tags)]
        command += ["--report", str(report), "--requirement", str(wanted)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise DownloadError(pip_failure(done.stdout + done.stderr, "licences", Path(scratch)))
        found = [i["metadata"] for i in json.loads(report.read_text("utf-8"))["install"]]
    names = {file.name.replace("_", "-").lower(): file.name for file in files}
    for fields in found:
        licence = licence_of(
            fields.get("license_expression") or "",
            fields.get("license") or "",
            fields.get("classifier", []),
        )
        plain = fields["name"].replace("_", "-").replace(".", "-").lower()
        yield names.get(plain, fields["name"]), fields["version"], licence
