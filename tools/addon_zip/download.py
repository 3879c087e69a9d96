"""Files from pip's package index: a pinned requirement in, a file of the right SHA-256 out.

A folder of wheels is looked through first. pip does the rest and compares hashes itself; what it
prints when it fails becomes one message with the next step.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PIP", "DownloadError", "IndexFile", "digest_of", "download", "fetched", "pip_failure"]

PIP = ("--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "30")
UNREACHABLE = (
    "Retrying (Retry", "Could not fetch URL", "ConnectionError", "Connection aborted",
    "Read timed out", "NewConnectionError", "ProxyError", "SSLError", "HTTPSConnectionPool",
)  # fmt: skip
FULL = ("No space left on device", "Errno 28", "not enough space on the disk", "File too large")


class DownloadError(ValueError):
    """A file could not be had, or is not the one that was locked; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file of the package index."""

    name: str
    version: str
    pattern: str
    """Of its file name."""
    sha256: str
    """Empty: nobody knows it."""
    tags: tuple[str, ...] = ()
    """Options of `pip download` that choose it on any machine."""

    @property
    def requirement(self) -> str:
        """As pip reads it: this very version (`==` also takes local builds) and this very file."""
        checked = f" --hash=sha256:{self.sha256}" if self.sha256 else ""
        return f"{self.name}==={self.version}{checked}"


def fetched(
    file: IndexFile, folders: Sequence[Path], cache: Path, options: Sequence[str] = ()
) -> Path:
    """Return the file from one of `folders` or from `cache`, where it is downloaded to.

    Raises:
        DownloadError: it is nowhere, or what came is another file.
    """
    for folder in (*folders, cache):
        for path in sorted(folder.glob(file.pattern)):
            if file.sha256 in ("", digest_of(path)):
                return path
    download(file, cache, ["--only-binary=:all:", *file.tags, *options])
    return next(iter(cache.glob(file.pattern)))


def download(
    file: IndexFile,
    folder: Path,
    options: Sequence[str],
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Let `python`'s pip download `file` into `folder`.

    Raises:
        DownloadError: it failed; the message says why and what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "requirements.txt"
        wanted.write_text(f"{file.requirement}\n", encoding="utf-8")
        command = [python, "-m", "pip", "download", *PIP, "--quiet", "--no-deps", *options]
        if file.sha256:
            command.append("--require-hashes")
        done = subprocess.run(
            [*command, "--dest", str(folder), "--requirement", str(wanted)],
            capture_output=True, text=True, errors="replace", check=False, env=environment,
        )  # fmt: skip
    if done.returncode:
        what = f"{file.name} {file.version}"
        raise DownloadError(pip_failure(done.stdout + done.stderr, what, folder, file.sha256))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pip_failure(output: str, what: str, folder: Path, sha256: str = "") -> str:
    """Return what went wrong and the next step.

    Args:
        output: all that pip printed.
        what: it was asked for.
        folder: it was to write to.
        sha256: of the file that was wanted.
    """
    if any(sign in output for sign in FULL):
        return f"{what}: the disk is full at {folder}; free space or choose another --build folder"
    if "DO NOT MATCH THE HASHES" in output:
        got = re.search(r"Got\s+([0-9a-f]{64})", output)
        return (
            f"{what}: wanted the file with SHA-256 {sha256}, the package index gave "
            f"{got[1] if got else 'another'}; it is damaged or another build: nothing was taken. "
            "If the new one is right, run `python build_addon.py lock` and review the change"
        )
    if any(sign in output for sign in UNREACHABLE):
        return (
            f"{what}: the package index that pip is set to cannot be reached; check the network "
            "and its proxy and run this again (what has come is kept), or name a folder that has "
            "the file with --wheels"
        )
    if "No module named pip" in output:
        return f"{what}: this Python has no pip; run `python -m ensurepip` and this again"
    if "No matching distribution found" in output:
        return (
            f"{what}: the package index that pip is set to has no such file; name a folder that "
            "has it with --wheels"
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"{what}: pip failed: {(errors or lines or ['no message'])[-1]}"
