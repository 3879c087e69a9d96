"""build_addon.py from end to end without network or compiler: each flavour, and what goes wrong.

The wheels, the locks and the library are made up; pip, the zips and their checks are real.
"""

import hashlib
import os
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import build_addon  # noqa: E402 - lies beside the packages, not in one
from tools.addon_zip import extension_zip, training_wheels  # noqa: E402
from tools.addon_zip.engine_lock import PYTHONS, LockedFile, read_engine_lock  # noqa: E402
from tools.addon_zip.fixed_zip import write_zip  # noqa: E402
from tools.addon_zip.native_library import NativeBuild, compiled_in  # noqa: E402
from tools.addon_zip.platforms import Platform  # noqa: E402
from tools.addon_zip.third_party import licence_of  # noqa: E402
from tools.addon_zip.third_party_page import PAGE, listed_packages  # noqa: E402
from tools.addon_zip.validator import find_validator  # noqa: E402
from tools.addon_zip.wheel_lock import LockedWheel  # noqa: E402

Build = Callable[..., int]


def made_wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """A wheel that pip downloads: metadata and a licence."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
    content = {
        f"{name}.py": b"",
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/licenses/LICENSE": f"Licence of {name}: ``` do as you like".encode(),
        f"{info}/RECORD": b"",
    }
    path = folder / f"{name}-{version}-{tag}.whl"
    write_zip(path, content)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def locked(path: Path, platform: str, *, cuda: bool = False) -> LockedFile:
    name, version, *_ = path.name.split("-")
    return LockedFile(
        name=name.replace("_", "-"), version=version, sha256=digest(path), size=path.stat().st_size,
        platforms=(platform,), pythons=("3.11",), cuda_only=cuda, file=path.name,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Wheels of a viewer and of an engine for Linux and Windows."""
    wheels = tmp_path / "the wheels"
    made_wheel(wheels, "plyfile", "1.1.3")
    made_wheel(wheels, "torch", "2.0+cpu", "cp311-cp311-manylinux_2_28_x86_64")
    made_wheel(wheels, "torch", "2.0", "cp311-cp311-win_amd64")
    made_wheel(wheels, "numba", "1.0", "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64")
    return wheels


@pytest.fixture
def build(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Run the build in a folder with spaces and an umlaut; pip has `folder` and no network."""
    elsewhere = tmp_path / "elsewhere"
    index = made_wheel(elsewhere, "torch", "2.0", "cp311-cp311-manylinux_2_28_x86_64")
    nvidia = made_wheel(elsewhere, "nvidia_cublas", "13.0", "py3-none-manylinux_2_27_x86_64")
    (plyfile,), (numba,) = folder.glob("plyfile*"), folder.glob("numba*")
    (windows,) = folder.glob("torch*win_amd64.whl")
    lock = [
        locked(index, "linux-x64"),
        locked(numba, "linux-x64"),
        locked(nvidia, "linux-x64", cuda=True),
        locked(windows, "windows-x64"),
    ]
    wheel = LockedWheel(
        name="plyfile", version="1.1.3", platform="any", python_tag="py3", sha256=digest(plyfile)
    )
    monkeypatch.setattr(extension_zip, "read_lock", lambda _: [wheel])
    monkeypatch.setattr(extension_zip, "build_native_library", made_library)
    monkeypatch.setattr(training_wheels, "read_engine_lock", lambda _: lock)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())

    def run(*options: str) -> int:
        base = tmp_path / "a päth with spaces"
        places = ["--output", str(base / "dist"), "--build", str(base / "build")]
        return build_addon.main([*places, *options])

    return run


def made_library(
    repository: Path, platform: Platform, scratch: Path, tools: Path, wheels: tuple[Path, ...]
) -> NativeBuild:
    path = scratch / f"pcgs_coder-{platform.native}.so"
    path.write_bytes(b"a library")
    return NativeBuild(
        path=path,
        licences={name: f"Text of {name}".encode() for name in compiled_in(platform.name)},
    )


def the_zip(tmp_path: Path, pattern: str) -> zipfile.ZipFile:
    (path,) = (tmp_path / "a päth with spaces" / "dist").glob(pattern)
    return zipfile.ZipFile(path)


def test_build_without_options_makes_a_viewer_zip_of_every_platform(
    build: Build, tmp_path: Path
) -> None:
    assert build() == 0
    dist = tmp_path / "a päth with spaces" / "dist"
    names = {path.name.split("-", 2)[2] for path in dist.iterdir()}
    assert names == {
        f"{system}-{processor}-viewer.zip"
        for system in ("linux", "windows", "macos")
        for processor in ("x64", "arm64")
    }


def test_viewer_zip_holds_notices_and_no_training_wheels(build: Build, tmp_path: Path) -> None:
    assert build("--platform", "windows-x64") == 0
    with the_zip(tmp_path, "*.zip") as archive:
        assert not [n for n in archive.namelist() if n.startswith("engine_wheels/")]
        text = archive.read("THIRD_PARTY.md").decode()
    assert "| plyfile | 1.1.3 | MIT | Blender's Python |" in text
    assert "Licence of plyfile: ``` do as you like" in text
    assert "````text" in text  # a longer fence than the text's own
    assert "Text of mingw-w64 runtime" in text


def test_engine_zip_has_its_wheels_in_a_folder_that_blender_leaves_alone(
    build: Build, tmp_path: Path
) -> None:
    options = ("--flavour", "engine", "--platform", "windows-x64", "--python", "3.11")
    assert build(*options) == 0
    with the_zip(tmp_path, "*-windows-x64-engine-py311.zip") as archive:
        wheels = [n for n in archive.namelist() if n.startswith("engine_wheels/")]
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        text = archive.read("THIRD_PARTY.md").decode()
    assert wheels == ["engine_wheels/torch-2.0-cp311-cp311-win_amd64.whl"]
    assert not [wheel for wheel in manifest["wheels"] if "torch" in wheel]
    assert manifest["blender_version_max"] == "5.1.0"
    assert "| torch | 2.0 | MIT | training engine |" in text


def test_engine_zip_of_linux_takes_cpu_torch_only_when_told_and_names_it(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ("--flavour", "engine", "--platform", "linux-x64", "--python", "3.11")
    assert build(*options) == 1
    assert "MB (CUDA)" in caplog.text
    assert "--accept-unchecked" in caplog.text
    caplog.clear()
    caplog.set_level("INFO")
    assert build(*options, "--accept-unchecked") == 0
    assert "NOT CHECKED, no hash is known: torch-2.0+cpu" in caplog.text
    with the_zip(tmp_path, "*-linux-x64-engine-py311.zip") as archive:
        wheels = {n.split("-")[1] for n in archive.namelist() if n.startswith("engine_wheels/")}
        assert wheels == {"2.0+cpu", "1.0"}


def test_engine_zip_where_torch_is_not_locked_names_the_way_out(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    assert build("--flavour", "engine", "--platform", "macos-x64") == 1
    assert "torch has no wheels for it" in caplog.text
    assert "--flavour viewer" in caplog.text


def test_two_builds_give_the_same_bytes(build: Build, tmp_path: Path) -> None:
    dist = tmp_path / "a päth with spaces" / "dist"
    options = ("--flavour", "engine", "--platform", "windows-x64", "--python", "3.11")
    digests = []
    for _ in range(2):
        assert build(*options) == 0
        digests.append([digest(path) for path in dist.iterdir()])
    assert digests[0] == digests[1]


def test_wheel_with_another_hash_is_refused_with_both_hashes(
    build: Build, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (plyfile,) = folder.glob("plyfile*")
    wanted = digest(plyfile)
    with zipfile.ZipFile(plyfile, "a") as archive:
        archive.writestr("forged.py", "")
    assert build("--platform", "linux-x64") == 1
    assert f"plyfile 1.1.3: wanted the file with SHA-256 {wanted}" in caplog.text
    assert digest(plyfile) in caplog.text
    assert "build_addon.py lock" in caplog.text


def test_wheel_that_is_nowhere_is_named_with_the_next_step(
    build: Build, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    next(folder.glob("torch*win_amd64.whl")).unlink()
    assert build("--flavour", "engine", "--platform", "windows-x64", "--python", "3.11") == 1
    assert "torch 2.0: the package index that pip is set to has no such file" in caplog.text
    assert "--wheels" in caplog.text


def test_index_that_cannot_be_reached_is_told_with_both_ways_out(
    build: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert build("--platform", "linux-x64") == 1
    assert "plyfile 1.1.3: the package index that pip is set to cannot be reached" in caplog.text
    assert "--wheels" in caplog.text


def test_folder_of_wheels_needs_no_index(
    build: Build, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert build("--platform", "linux-x64") == 1
    assert build("--platform", "linux-x64", "--wheels", str(folder)) == 0


def test_output_that_cannot_be_written_is_told_and_leaves_nothing(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert build("--platform", "linux-x64", "--output", str(tmp_path / "file" / "dist")) == 1
    assert str(tmp_path / "file") in caplog.text
    assert "--output" in caplog.text


@pytest.fixture
def small_disk(build: Build) -> Iterator[None]:
    """No file may grow beyond 200 kB: less than the engine's wheel, more than pip needs."""
    resource = pytest.importorskip("resource")  # not on Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_told_and_leaves_no_half_zip(
    build: Build, small_disk: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert build("--platform", "linux-x64") == 1
    assert "free space" in caplog.text
    left = [path for path in tmp_path.rglob("*") if path.suffix in (".zip", ".part")]
    assert left == []


def test_zip_that_blender_refuses_is_an_error_with_its_words(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "blender"
    program.write_text("#!/bin/sh\necho 'FATAL: the manifest is odd'\nexit 1\n")
    program.chmod(0o755)
    assert build("--platform", "linux-x64", "--blender", str(program)) == 1
    assert "refuses it: FATAL: the manifest is odd" in caplog.text


def test_blender_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no program"):
        find_validator(tmp_path / "none")


def test_engine_lock_serves_both_pythons_of_blender_on_three_platforms() -> None:
    files = read_engine_lock(REPOSITORY)
    targets = {(p, v) for f in files if f.name == "torch" for p in f.platforms for v in f.pythons}
    platforms = ("linux-x64", "windows-x64", "macos-arm64")
    assert targets == {(platform, python) for platform in platforms for python in PYTHONS}


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "found"),
    [
        ("MIT AND Zlib", "BSD", [], "MIT AND Zlib"),
        ("", "BSD", ["License :: OSI Approved :: BSD License"], "BSD"),
        ("", "GNU GENERAL\n  Version 3", ["License :: OSI Approved :: GPLv3+"], "GPLv3+"),
        ("", "", [], "see its text"),
    ],
)
def test_licence_is_the_most_exact_that_a_package_says(
    expression: str, text: str, classifiers: list[str], found: str
) -> None:
    assert licence_of(expression, text, classifiers) == found


def test_third_party_page_lists_just_what_the_locks_have() -> None:
    text = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    rows = rows[1:]  # its head
    listed = [(name, version, place) for name, version, _, place in rows]
    parts = list(compiled_in("windows-x64"))
    assert [name for name, *_ in listed[: len(parts)]] == parts
    assert listed[len(parts) :] == [
        (row.name, row.version, row.place) for row in listed_packages(REPOSITORY)
    ], "run `python build_addon.py lock`"
    assert all(licence for _, _, licence, _ in rows)
