"""Where the sample image set and a known `.pcgs` file lie, installed with the package."""

from importlib import resources
from pathlib import Path

from ..errors import SceneError

__all__ = ["golden_file", "sample_path"]


def sample_path() -> Path:
    """Return the sample's scene folder (`transforms.json`, `images/`, `points3d.ply`).

    Raises:
        SceneError: the package was installed without its data, or as a zip that is not unpacked.
    """
    folder = resources.files(__package__)
    if not isinstance(folder, Path) or not (folder / "transforms.json").is_file():
        raise SceneError(f"{folder}: no transforms.json, wanted the sample scene, reinstall pcgs")
    return folder


def golden_file() -> Path:
    """Return a small `.pcgs` file that every installation must decode to the same numbers.

    Raises:
        SceneError: as `sample_path`.
    """
    return sample_path() / "selftest.pcgs"
