"""Golden files: every reader finds the same numbers in them, every writer makes the same bytes."""

import numpy as np
import pytest
from golden_case import CASES, FOLDER, decoded, facts_of, stored_facts
from stored_model import arrays_of, load_model, store_model
from synthetic_model import synthetic_model

from pcgs_engine.sample import golden_file

LARGEST = 40_000


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


def test_golden_file_decodes_to_the_stored_facts(case, backend):
    found, wanted = facts_of(case.file.read_bytes(), backend), stored_facts()[case.name]
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == value, f"{name}: see tests/golden/README.md"


def test_golden_model_encodes_to_the_same_bytes(case, backend):
    assert case.encoded(backend) == case.file.read_bytes(), "see tests/golden/README.md"


def test_golden_file_decodes_to_the_stored_model(case, backend):
    coded, canvas = load_model(case.model), decoded(case.file.read_bytes(), backend).canvas(3)
    assert np.array_equal(canvas.positions, coded.anchors.positions)
    assert np.array_equal(canvas.mask_level, coded.anchors.mask_level)
    present = coded.anchors.mask_level > 0
    assert np.array_equal(canvas.offsets[present], coded.anchors.offsets[present])


def test_golden_files_are_small_and_complete():
    names = {path.stem for path in FOLDER.glob("*.pcgs")}
    assert names == {case.name for case in CASES} == set(stored_facts())
    assert max(path.stat().st_size for path in FOLDER.glob("*.pcgs")) <= LARGEST


def test_selftest_of_the_package_decodes_a_golden_file():
    assert golden_file().read_bytes() == (FOLDER / "explicit.pcgs").read_bytes()


def test_stored_model_gives_every_array_back(tmp_path):
    coded = synthetic_model(20, mask_net=True, ranks=3)
    store_model(coded, tmp_path / "model.npz")
    one, two = arrays_of(coded), arrays_of(load_model(tmp_path / "model.npz"))
    assert one.keys() == two.keys()
    for name, array in one.items():
        assert array.dtype == two[name].dtype
        assert np.array_equal(array, two[name])
