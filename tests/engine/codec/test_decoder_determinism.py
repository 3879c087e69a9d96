"""The same digests whoever computes: backends, products, orders of summation, batches, BLAS."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.codec import EntropyBackend, ProgressiveDecoder, encode, encode_chunks
from pcgs_engine.errors import ChecksumError
from pcgs_engine.native import library

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(300, seed=5, mask_net=True)


@pytest.fixture(scope="module")
def data(coded):
    return encode(coded, {})


@pytest.fixture
def no_library(monkeypatch, tmp_path):
    """The native library is not built."""
    monkeypatch.setattr(library, "LIBRARY_FOLDER", tmp_path)
    library.load_native.cache_clear()
    yield
    library.load_native.cache_clear()


def digests(data, **options):
    """Digests are checked while decoding, against those of the encoder."""
    decoder = ProgressiveDecoder(**options)
    decoder.feed(data)
    decoder.finish()
    assert decoder.complete
    return [decoder.digest(level) for level in (1, 2, 3)]


def in_float64(inputs, weight):
    return (inputs.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.float32)


def in_int64(inputs, weight):
    return (inputs.astype(np.int64) @ weight.T.astype(np.int64)).astype(np.float32)


def column_by_column(inputs, weight):
    """Partial sums in float32, in a random order."""
    total = np.zeros((len(inputs), len(weight)), dtype=np.float32)
    for column in np.random.default_rng(1).permutation(inputs.shape[1]):
        total += inputs[:, column, None] * weight[None, :, column]
    return total


def row_by_row(inputs, weight):
    """Other kernels of the BLAS than for a matrix."""
    rows = [weight @ row for row in inputs]
    return np.array(rows, dtype=np.float32).reshape(len(inputs), len(weight))


def by_torch(inputs, weight):
    torch = pytest.importorskip("torch")
    from pcgs_engine.model.torch_product import TorchProduct

    return TorchProduct(torch.device("cpu"))(inputs, weight)


PRODUCTS = [in_float64, in_int64, column_by_column, row_by_row, by_torch]


@pytest.mark.parametrize("product", PRODUCTS)
def test_any_exact_product_decodes_and_encodes_the_same(coded, data, product):
    assert digests(data, product=product) == digests(data)
    assert encode_chunks(coded, product=product).to_bytes({}) == data


def test_a_product_that_rounds_is_noticed(data):
    def rounded(inputs, weight):
        bits = np.ascontiguousarray(inputs @ weight.T).view(np.uint32)
        return (bits & np.uint32(0xFFFF0000)).view(np.float32).copy()  # as bfloat16 sums

    with pytest.raises(ChecksumError, match="computes the context model differently"):
        digests(data, product=rounded)


@pytest.mark.parametrize("backend", [EntropyBackend.NUMPY, None])
def test_decoding_without_the_library_gives_the_same(coded, data, backend, no_library):
    assert digests(data, backend=backend)
    assert encode(coded, {}, backend=backend) == data


@pytest.mark.parametrize("block", [1, 7, 128])
def test_batch_sizes_change_nothing(data, monkeypatch, block):
    for module in ("level_distributions", "refinement_laws", "mask_law"):
        monkeypatch.setattr(f"pcgs_engine.entropy.{module}.BLOCK", block)
    monkeypatch.setattr("pcgs_engine.entropy.hash_features.BATCH", block)
    assert digests(data)


@pytest.mark.parametrize("block", [7])
def test_batch_sizes_change_nothing_without_the_library(data, monkeypatch, block, no_library):
    test_batch_sizes_change_nothing(data, monkeypatch, block)


CHILD = """
import sys
for name in ("torch", "numba", "scipy", "cv2", "PIL"):
    sys.modules[name] = None
from pathlib import Path
if sys.argv[2] == "numpy":
    import pcgs_engine.native.library
    pcgs_engine.native.library.LIBRARY_FOLDER = Path("nowhere")
from pcgs_engine.codec import best_backend, decode_file
assert best_backend().value == sys.argv[2] or sys.argv[2] == "native"
decoder = decode_file(Path(sys.argv[1]))
sys.stdout.write(" ".join(decoder.digest(s).hex() for s in (1, 2, 3)))
"""


@pytest.mark.parametrize(
    ("variables", "backend"),
    [
        ({"OPENBLAS_NUM_THREADS": "1"}, "numpy"),
        ({"OPENBLAS_NUM_THREADS": "2"}, "native"),
        ({"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Prescott"}, "native"),
        ({"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}, "numpy"),
    ],
)
def test_decoder_without_torch_on_other_kernels_gives_same_digests(
    data, tmp_path, variables, backend
):
    path = tmp_path / "scene.pcgs"
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), backend],
        env={**os.environ, **variables, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [digest.hex() for digest in digests(data)], done.stderr
