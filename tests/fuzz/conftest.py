"""Makes the synthetic model of the codec tests importable here; both decoders."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "engine" / "codec"))

from pcgs_engine.entropy.backend import EntropyBackend, best_backend


@pytest.fixture(params=list(EntropyBackend)[:2], ids=lambda backend: backend.value)
def backend(request):
    """Return NATIVE where its library is there, and NUMPY."""
    if request.param is EntropyBackend.NATIVE and best_backend() is not EntropyBackend.NATIVE:
        pytest.skip("native library is not built: python -m pcgs_engine.native.build")
    return request.param
