"""Platforms the native library is built for, and the name of its file on each."""

import platform
import sys
from dataclasses import dataclass

__all__ = ["TARGETS", "Target", "host_target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One operating system and processor."""

    name: str
    """For example `linux-x86_64`."""
    zig: str
    """Target triple of `zig cc`."""
    suffix: str

    @property
    def file_name(self) -> str:
        """Name of the library in `native/lib/`."""
        return f"pcgs_coder-{self.name}{self.suffix}"


TARGETS = (
    Target(name="linux-x86_64", zig="x86_64-linux-gnu.2.17", suffix=".so"),
    Target(name="linux-arm64", zig="aarch64-linux-gnu.2.17", suffix=".so"),
    Target(name="windows-x86_64", zig="x86_64-windows-gnu", suffix=".dll"),
    Target(name="windows-arm64", zig="aarch64-windows-gnu", suffix=".dll"),
    Target(name="macos-x86_64", zig="x86_64-macos.11.0", suffix=".dylib"),
    Target(name="macos-arm64", zig="aarch64-macos.11.0", suffix=".dylib"),
)


def host_target() -> Target | None:
    """Return the target this process runs on, or None where it is not in the list."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    machine = platform.machine().lower()
    processor = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
    return next((t for t in TARGETS if t.name == f"{system}-{processor}"), None)
