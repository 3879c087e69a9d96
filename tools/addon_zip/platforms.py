"""Platforms an extension zip can be built for, by the names of Blender, of wheels and of our C."""

import platform
import sys
from dataclasses import dataclass

__all__ = ["PLATFORMS", "Platform", "host_platform", "platform_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One operating system and processor."""

    name: str
    """As in `blender_manifest.toml`, for example `linux-x64`."""
    native: str
    """Target of `pcgs_engine.native.build`, for example `linux-x86_64`."""
    wheel_tag: str
    """Platform tag of the engine's wheel; must promise no more than the C library needs."""


PLATFORMS = (
    Platform(name="linux-x64", native="linux-x86_64", wheel_tag="manylinux_2_17_x86_64"),
    Platform(name="linux-arm64", native="linux-arm64", wheel_tag="manylinux_2_17_aarch64"),
    Platform(name="windows-x64", native="windows-x86_64", wheel_tag="win_amd64"),
    Platform(name="windows-arm64", native="windows-arm64", wheel_tag="win_arm64"),
    Platform(name="macos-x64", native="macos-x86_64", wheel_tag="macosx_11_0_x86_64"),
    Platform(name="macos-arm64", native="macos-arm64", wheel_tag="macosx_11_0_arm64"),
)


def platform_named(name: str) -> Platform:
    """Return the platform of that Blender name; KeyError names the known ones."""
    for candidate in PLATFORMS:
        if candidate.name == name:
            return candidate
    raise KeyError(f"{name}: unknown platform, wanted one of {[p.name for p in PLATFORMS]}")


def host_platform() -> Platform:
    """Return the platform of this machine."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    machine = platform.machine().lower()
    processor = {"amd64": "x64", "x86_64": "x64", "aarch64": "arm64"}.get(machine, machine)
    return platform_named(f"{system}-{processor}")
