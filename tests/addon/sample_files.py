"""Splat files the tests of files, objects, import and export work on, and ways to break them."""

import os
import time
from pathlib import Path

import pytest

from pcgs_engine.codec import inspect_file

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TRAINED = GOLDEN / "trained.pcgs"
"""A small training of the embedded sample."""


def large_file():
    """A real file of about a megabyte: PCGS_TEST_FILES names a folder of some."""
    folder = Path(os.environ.get("PCGS_TEST_FILES", ""))
    files = sorted(folder.glob("*.pcgs"), key=lambda path: path.stat().st_size)
    if not os.environ.get("PCGS_TEST_FILES") or not files:
        pytest.skip("PCGS_TEST_FILES names no folder of trained .pcgs files")
    return files[-1]


def copy_of_trained(folder, name="scene.pcgs"):
    path = folder / name
    path.write_bytes(TRAINED.read_bytes())
    return path


def level_end(path, level):
    return inspect_file(path).levels[level - 1].bytes


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 0x55
    return bytes(changed)


def other_version(data):
    """The major version is at byte 8 (FORMAT.md §2)."""
    changed = bytearray(data)
    changed[8] = 99
    return bytes(changed)


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def resident_bytes():
    """Present resident memory of this process; Linux only."""
    try:
        text = Path("/proc/self/statm").read_text()
    except OSError:
        pytest.skip("resident memory is read from /proc")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
