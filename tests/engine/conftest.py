"""Fixtures that several engine tests share because they cost seconds."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tensors here are too small for more

from types import ModuleType

import pytest
from tiny_training import TinyRun, tiny_config, train_tiny

from pcgs_engine.entropy.torchac_library import load_torchac
from pcgs_engine.errors import DeviceError


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Return one uninterrupted training of the embedded sample; do not write into its folder."""
    return train_tiny(tmp_path_factory.mktemp("tiny_run"), config=tiny_config())


@pytest.fixture(scope="session")
def torchac() -> ModuleType:
    """Return torchac, compiled by the engine; the test is skipped where that cannot be done."""
    try:
        return load_torchac()
    except DeviceError as error:
        pytest.skip(str(error))
