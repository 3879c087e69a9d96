"""build_addon.py: what goes into the zip, what is refused, and the same bytes every time."""

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import build_addon  # noqa: E402 - lies beside the packages, not in one
from pcgs_engine import __version__  # noqa: E402
from pcgs_engine.native.targets import TARGETS  # noqa: E402
from tools.addon_zip.engine_wheel import engine_version, write_engine_wheel  # noqa: E402
from tools.addon_zip.extension_zip import Flavour, ZipTarget, zip_content  # noqa: E402
from tools.addon_zip.fixed_zip import files_below, write_zip  # noqa: E402
from tools.addon_zip.manifest import manifest_faults, staged_manifest  # noqa: E402
from tools.addon_zip.platforms import (  # noqa: E402
    PLATFORMS,
    host_platform,
    platform_named,
)
from tools.addon_zip.wheel_lock import SOURCE, read_lock  # noqa: E402

MANIFEST = (REPOSITORY / "blender_manifest.toml").read_text(encoding="utf-8")
LINUX = platform_named("linux-x64")
WHEEL = "pcgs_engine-1.0.0-py3-none-manylinux_2_17_x86_64.whl"


@pytest.fixture
def engine_wheel(tmp_path: Path) -> Path:
    library = tmp_path / "pcgs_coder-linux-x86_64.so"
    library.write_bytes(b"a library")
    return write_engine_wheel(REPOSITORY, library, LINUX, tmp_path / "wheels")


def staged() -> str:
    return staged_manifest(MANIFEST, "1.0.0", LINUX, [WHEEL])


def test_manifest_version_is_the_engines_version() -> None:
    assert tomllib.loads(MANIFEST)["version"] == __version__ == engine_version(REPOSITORY)


def test_staged_manifest_names_version_platform_and_wheels_before_the_tables() -> None:
    fields = tomllib.loads(staged())
    assert (fields["version"], fields["platforms"]) == ("1.0.0", ["linux-x64"])
    assert fields["wheels"] == [f"./wheels/{WHEEL}"]
    assert fields["permissions"] == tomllib.loads(MANIFEST)["permissions"]
    assert manifest_faults(staged(), [f"wheels/{WHEEL}"]) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("./wheels/pcgs", "wheels/pcgs", "wanted ./wheels/"),
        ("manylinux_2_17_x86_64", "win_amd64", "is for win_amd64"),
        ("py3-none", "cp311-cp311", "serves one Python version only"),
        ("SPDX:", "", "wanted SPDX:"),
        ('"linux-x64"', '"linux-x86"', "platforms"),
        ('tags = ["3D View"', 'tags = ["Splats"', "unknown tag Splats"),
        ("maintainer", "colour = 1\nmaintainer", "unknown key colour"),
        ('min = "4.2.0"', 'min = "3.6.0"', "extensions begin with 4.2.0"),
        ('min = "4.2.0"', 'min = "4.2"', "wanted three numbers"),
        ('splat scenes"\n', 'splat scenes."\n', "without a full stop"),
        ("files = ", "mail = ", "unknown permission mail"),
    ],
)
def test_manifest_with_what_blender_accepts_silently_is_refused(
    old: str, new: str, message: str
) -> None:
    text = staged()
    assert old in text
    faults = manifest_faults(text.replace(old, new), [f"wheels/{WHEEL}"])
    assert any(message in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("python", "oldest", "first_without"),
    [("3.11", "4.2.0", "5.1.0"), ("3.13", "5.1.0", None)],
)
def test_staged_manifest_for_one_python_names_the_blenders_that_have_it(
    python: str, oldest: str, first_without: str | None
) -> None:
    text = staged_manifest(MANIFEST, "1.0.0", LINUX, [WHEEL], python)
    fields = tomllib.loads(text)
    assert fields["blender_version_min"] == oldest
    assert fields.get("blender_version_max") == first_without
    assert manifest_faults(text, [f"wheels/{WHEEL}", "engine_wheels/torch-1-cp311.whl"]) == []


def test_manifest_whose_wheel_is_not_in_the_zip_is_refused() -> None:
    assert manifest_faults(staged(), []) == [f"wheel ./wheels/{WHEEL}: is not in the zip"]


def test_zip_content_holds_addon_licence_manifest_and_wheels_and_no_caches() -> None:
    target = ZipTarget(platform=LINUX, flavour=Flavour.VIEWER, python="")
    content = zip_content(REPOSITORY, "1.0.0", target, {WHEEL: b""})
    assert {"__init__.py", "LICENSE", "blender_manifest.toml", f"wheels/{WHEEL}"} <= set(content)
    assert not [name for name in content if "__pycache__" in name or name.startswith("addon/")]


def test_write_zip_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    content = {"b.py": b"1", "a/c.so": b"2" * 1000, "x.whl": b"3"}
    write_zip(tmp_path / "1.zip", content)
    write_zip(tmp_path / "2.zip", dict(reversed(content.items())))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert archive.namelist() == ["a/c.so", "b.py", "x.whl"]
        assert archive.getinfo("a/c.so").external_attr >> 16 & 0o777 == 0o755


def test_write_zip_takes_files_as_well_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "big.whl").write_bytes(b"3" * 5_000_000)
    write_zip(tmp_path / "file.zip", {"w/big.whl": tmp_path / "big.whl", "a.py": b"1"})
    write_zip(tmp_path / "bytes.zip", {"w/big.whl": b"3" * 5_000_000, "a.py": b"1"})
    with (
        zipfile.ZipFile(tmp_path / "file.zip") as one,
        zipfile.ZipFile(tmp_path / "bytes.zip") as two,
    ):
        for name in ("w/big.whl", "a.py"):
            assert one.read(name) == two.read(name)
            assert one.getinfo(name).date_time == two.getinfo(name).date_time
            assert one.getinfo(name).external_attr == two.getinfo(name).external_attr


def test_files_below_leaves_out_caches_and_hidden_files(tmp_path: Path) -> None:
    for name in ("a.py", "__pycache__/a.pyc", ".hidden", "lib_sanitized/x.so", "data/t.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list(files_below(tmp_path)) == ["a.py", "data/t.npy"]


def test_engine_wheel_record_names_every_file_with_its_hash(engine_wheel: Path) -> None:
    with zipfile.ZipFile(engine_wheel) as archive:
        record_name = next(n for n in archive.namelist() if n.endswith("/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record_name).decode())))
        assert {row[0] for row in rows} == set(archive.namelist())
        for name, digest, size in rows:
            if name != record_name:
                data = archive.read(name)
                found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
                assert (digest, size) == (f"sha256={found.decode()}", str(len(data)))


def test_engine_wheel_holds_one_library_and_all_data_of_the_package(engine_wheel: Path) -> None:
    with zipfile.ZipFile(engine_wheel) as archive:
        names = archive.namelist()
    libraries = [n for n in names if n.startswith("pcgs_engine/native/lib/")]
    assert libraries == ["pcgs_engine/native/lib/pcgs_coder-linux-x86_64.so"]
    for path in (REPOSITORY / "pcgs_engine").rglob("*"):
        shipped = path.suffix in {".py", ".npy", ".json", ".ply", ".jpg", ".c", ".h"}
        if shipped and "__pycache__" not in path.parts:
            assert path.relative_to(REPOSITORY).as_posix() in names


def test_engine_wheel_installs_with_pip_and_finds_its_own_library(
    engine_wheel: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip += ["--no-index", "--no-deps", "--target", str(site), "--platform", LINUX.wheel_tag]
    pip += ["--only-binary=:all:", str(engine_wheel)]
    done = subprocess.run(pip, capture_output=True, text=True)
    if "No module named pip" in done.stderr:
        pytest.skip("this Python has no pip")
    assert done.returncode == 0, done.stderr
    program = (
        "import pcgs_engine.native.library as l, pcgs_engine.sample as s\n"
        "print(sorted(p.name for p in l.LIBRARY_FOLDER.iterdir()), s.sample_path().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['pcgs_coder-linux-x86_64.so'] sample", done.stderr


def test_platforms_name_native_targets_that_exist() -> None:
    assert {platform.native for platform in PLATFORMS} == {target.name for target in TARGETS}
    assert host_platform() in PLATFORMS


def test_lock_of_the_repository_has_the_pinned_dependencies_and_no_numpy() -> None:
    lock = read_lock(REPOSITORY / "wheels" / "wheels.lock")
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    for sources, wanted in (
        (False, project["dependencies"]),
        (True, project["optional-dependencies"]["cuda"]),
    ):
        pins = {tuple(d.split("==")) for d in wanted if "==" in d}
        found = {(w.name, w.version) for w in lock if (w.python_tag == SOURCE) == sources}
        assert found == pins


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plyfile 1.1.3 any py3", "wanted name version platform"),
        ("plyfile 1.1.3 any py3 abc", "wanted name version platform"),
        (f"numpy 2.0.0 any py3 {'0' * 64}", "numpy is part of Blender"),
    ],
)
def test_lock_with_a_bad_line_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "wheels.lock").write_text(f"# comment\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_lock(tmp_path / "wheels.lock")


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif("PCGS_TEST_NETWORK" not in os.environ, reason="PCGS_TEST_NETWORK is not set")
def test_build_twice_gives_the_same_zip_with_a_working_library(tmp_path: Path) -> None:
    zips = []
    for name in ("plain", "with späces"):
        output = tmp_path / name / "dist"
        options = ["--platform", "host", "--output", str(output)]
        options += ["--build", str(tmp_path / name / "build")]
        assert build_addon.main(options) == 0
        zips.append(next(output.glob("*.zip")))
    assert zips[0].read_bytes() == zips[1].read_bytes()
    site = tmp_path / "site"
    with zipfile.ZipFile(zips[0]) as archive:
        for name in archive.namelist():
            if name.endswith(".whl"):
                zipfile.ZipFile(io.BytesIO(archive.read(name))).extractall(site)
    program = "from pcgs_engine.native import load_native; print(load_native()._name)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(site)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith(str(site)), done.stderr
