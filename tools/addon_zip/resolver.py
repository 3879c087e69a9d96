"""Requirements in, exact versions with all their files out, for any platform and Python: uv.

pip judges environment markers by the machine it runs on and so cannot resolve for another one. uv
asks the package index and downloads no wheel.
"""

import os
import subprocess
import tomllib
import urllib.parse
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from .private_tool import private_python

__all__ = ["PLATFORMS", "Resolver"]

UV = "uv==0.13.9"
PLATFORMS = {
    "linux-x64": "x86_64-manylinux_2_28",
    "windows-x64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}
"""Blender's name: uv's. Where torch has wheels and Blender has official builds."""
OLDEST_MACOS = "14.0"
"""The oldest that torch has wheels for."""


class Resolver:
    """uv in an environment of its own."""

    def __init__(self, tools: Path) -> None:
        """Install the pinned uv below `tools`, once.

        Raises:
            DownloadError: it could not be installed.
        """
        self._uv = private_python(UV, tools / "uv").with_name("uv")
        self._output = tools / "pylock.engine.toml"

    def resolve(
        self,
        requirements: Iterable[str],
        platform: str,
        python: str,
        *,
        dependencies: bool = True,
    ) -> list[dict[str, Any]]:
        """Return the packages as the standard lock file (PEP 751) has them, files with names.

        Raises:
            subprocess.CalledProcessError: uv found no solution; it has printed why.
        """
        self._output.unlink(missing_ok=True)  # else its versions would be preferred
        command = [str(self._uv), "pip", "compile", "-", "--quiet", "--no-header"]
        command += ["--python-platform", PLATFORMS[platform], "--python-version", python]
        # Without dependencies nothing is installed from it: then its source is wanted as well.
        command += ["--only-binary=:all:"] if dependencies else ["--no-deps"]
        subprocess.run(
            [*command, "--format", "pylock.toml", "--output-file", str(self._output)],
            input="\n".join(requirements), text=True, check=True, stdout=subprocess.DEVNULL,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS},
        )  # fmt: skip
        text = self._output.read_text(encoding="utf-8")
        self._output.unlink()
        packages: list[dict[str, Any]] = tomllib.loads(text)["packages"]
        for package in packages:
            for wheel in package.get("wheels", ()):
                path = PurePosixPath(urllib.parse.urlsplit(wheel["url"]).path)
                wheel["name"] = urllib.parse.unquote(path.name)
        return packages
