"""Fixtures that several engine tests share because they cost seconds."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tensors here are too small for more

import pytest
from tiny_training import TinyRun, tiny_config, train_tiny


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Return one uninterrupted training of the embedded sample; do not write into its folder."""
    return train_tiny(tmp_path_factory.mktemp("tiny_run"), config=tiny_config())
