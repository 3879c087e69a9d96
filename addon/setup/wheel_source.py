"""Where wheels come from: the package index pip is set to, one more, or a folder.

The `engine` zips bring a folder of their own (tools/addon_zip/extension_zip.py).
"""

from dataclasses import dataclass
from pathlib import Path

from .engine_lock import LockedPackage

__all__ = ["OWN_WHEELS", "WheelSource"]

OWN_WHEELS = Path(__file__).parent.parent / "engine_wheels"
"""In the extension's folder; the viewer zips have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """At most one of both is set; neither: the index that pip is set to."""

    index: str = ""
    """Address of a package index that is asked besides pip's own: for example torch's."""
    folder: Path | None = None
    """Folder of wheels; then nothing is asked from the network."""

    def __str__(self) -> str:
        """As a message names it."""
        if self.folder is not None:
            if self.folder == OWN_WHEELS:
                return "the add-on's own wheel folder"
            return f"the wheel folder {self.folder}"
        # Not the address: it may hold a password.
        own = "pip's package index"
        return f"{own} and the one of the preferences" if self.index else own

    def pip_options(self, *, checked: bool) -> list[str]:
        """Return options of `pip download` for a package whose hash is known, or is not.

        Where nothing is compared, only the index that the user has named for it is asked.
        """
        if not self.index:
            return []
        return ["--extra-index-url" if checked else "--index-url", self.index]

    def find(self, pattern: str) -> Path | None:
        """Return the folder's file that matches a pattern."""
        if self.folder is None:
            return None
        return next(iter(sorted(self.folder.glob(pattern))), None)

    def missing(self, packages: tuple[LockedPackage, ...]) -> list[LockedPackage]:
        """Return the packages of which the folder has no file; none for an index."""
        if self.folder is None:
            return []
        present = {path.name for path in self.folder.glob("*.whl")}
        return [package for package in packages if present.isdisjoint(package.files)]
