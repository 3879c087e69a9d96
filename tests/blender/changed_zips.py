"""The extension zip, changed: a higher version of add-on and engine, and zips nobody should get."""

import tomllib
import zipfile
from pathlib import Path

__all__ = [
    "NEWER",
    "cut_zip",
    "damaged_zip",
    "newer_zip",
    "unlisted_wheel_zip",
    "without_wheel_zip",
]

NEWER = "99.0.0"
MANIFEST = "blender_manifest.toml"
MARK = "\nNEW_IN_99 = True\n"
"""Added to a module of the add-on and to one of the engine: proof of which code runs."""


def newer_zip(addon_zip: Path, folder: Path) -> Path:
    """Write the zip with a higher version; the engine's wheel inside rises with it."""
    files = _read(addon_zip)
    version = str(tomllib.loads(files[MANIFEST].decode())["version"])
    wheel = _engine_wheel(files)
    renamed = wheel.replace(f"-{version}-", f"-{NEWER}-")
    assert renamed != wheel
    scratch = folder / "wheel"
    scratch.mkdir()
    (scratch / "old.whl").write_bytes(files.pop(wheel))
    _write(scratch / "new.whl", _newer_engine(_read(scratch / "old.whl"), version))
    files[renamed] = (scratch / "new.whl").read_bytes()
    manifest = files[MANIFEST].decode().replace(wheel, renamed)
    files[MANIFEST] = manifest.replace(f'version = "{version}"', f'version = "{NEWER}"').encode()
    files["ids.py"] += MARK.encode()
    return _write(folder / f"pcgs-{NEWER}.zip", files)


def without_wheel_zip(addon_zip: Path, folder: Path) -> Path:
    """Write the zip without a wheel that its manifest lists: as a broken build would."""
    files = _read(addon_zip)
    del files[_engine_wheel(files)]
    return _write(folder / "without_wheel.zip", files)


def unlisted_wheel_zip(addon_zip: Path, folder: Path) -> Path:
    """Write the zip with a manifest that lists no engine wheel: Blender sees nothing wrong."""
    files = _read(addon_zip)
    wheel = _engine_wheel(files)
    entry = f'"./{wheel}", '
    manifest = files[MANIFEST].decode()
    assert entry in manifest
    files[MANIFEST] = manifest.replace(entry, "").encode()
    return _write(folder / "unlisted_wheel.zip", files)


def damaged_zip(addon_zip: Path, folder: Path) -> Path:
    """Write the zip with two thousand wrong bytes in its middle, where the wheel is."""
    data = bytearray(addon_zip.read_bytes())
    middle = len(data) // 2
    for place in range(middle, middle + 2000):
        data[place] ^= 0xFF
    path = folder / "damaged.zip"
    path.write_bytes(data)
    return path


def cut_zip(addon_zip: Path, folder: Path) -> Path:
    """Write the first half: a download that broke off."""
    data = addon_zip.read_bytes()
    path = folder / "cut.zip"
    path.write_bytes(data[: len(data) // 2])
    return path


def _newer_engine(files: dict[str, bytes], version: str) -> dict[str, bytes]:
    old, new = f"pcgs_engine-{version}.dist-info", f"pcgs_engine-{NEWER}.dist-info"
    result = {name.replace(old, new): data for name, data in files.items()}
    for name in ("pcgs_engine/__init__.py", f"{new}/METADATA"):
        assert version.encode() in result[name]
        result[name] = result[name].replace(version.encode(), NEWER.encode())
    result["pcgs_engine/errors.py"] += MARK.encode()
    result[f"{new}/RECORD"] = result[f"{new}/RECORD"].replace(old.encode(), new.encode())
    return result


def _engine_wheel(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.startswith("wheels/pcgs_engine-"))


def _read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
