"""Forged files, one lie each, right checksums: readers name the place and allocate little."""

import re
import time
import tracemalloc

import pytest
from crafted_files import CRAFTED, FINDINGS, ONCE_BROKE
from outcome import examine
from seed_files import seed_files

from pcgs_engine.entropy.backend import EntropyBackend
from pcgs_engine.errors import BitstreamError

MEMORY = 20_000_000
SECONDS = 10.0


@pytest.fixture(scope="module")
def valid():
    return seed_files()[0]


def checked(data, backend, crafted):
    """Decode hostile bytes within the bounds."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        found = examine(data, backend)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.perf_counter() - began < SECONDS
    assert peak < MEMORY + 2 * len(data)
    assert found.word == (crafted.error or "same"), found.message
    assert re.search(crafted.place, found.message), found.message


@pytest.mark.parametrize("name", CRAFTED)
def test_decoder_crafted_file_is_refused_with_its_place(valid, backend, name):
    checked(CRAFTED[name].bytes_of(valid), backend, CRAFTED[name])


@pytest.mark.parametrize("name", ONCE_BROKE)
def test_decoder_finding_is_refused_with_its_place(backend, name):
    checked((FINDINGS / f"{name}.bin").read_bytes(), backend, CRAFTED[name])


def test_findings_are_all_checked():
    assert {path.stem for path in FINDINGS.glob("*.bin")} == set(ONCE_BROKE)


def test_crafted_file_without_a_lie_decodes(valid):
    assert examine(valid, EntropyBackend.NUMPY).word == "same"


def test_crafted_errors_are_bitstream_errors():
    names = {cls.__name__ for cls in BitstreamError.__subclasses__()}
    assert {crafted.error for crafted in CRAFTED.values()} <= names | {""}
