"""pcgs selftest: says what works here, and fails with a reason where something does not."""

import json
from pathlib import Path

import pytest

from pcgs_engine import __version__
from pcgs_engine.cli import selftest
from pcgs_engine.cli.main import main

pytest.importorskip("torch")
CPU = ("selftest", "--device", "cpu", "--threads", "1", "--progress", "none")


def test_selftest_json_names_versions_device_and_speed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CPU, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == __version__
    assert (found["backend"], found["device"]) == ("cpu", "cpu")
    assert found["entropy"] in ("native", "numpy")
    assert 0.0 < found["forward_ms"] < 60_000
    assert 0.0 < found["backward_ms"] < 60_000


def test_selftest_text_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CPU]) == 0
    assert capsys.readouterr().out.endswith("all is well\n")


def test_selftest_damaged_file_of_the_package_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(selftest.golden_file().read_bytes())
    data[-200] ^= 1
    (tmp_path / "damaged.pcgs").write_bytes(data)
    monkeypatch.setattr(selftest, "golden_file", lambda: tmp_path / "damaged.pcgs")
    assert main([*CPU]) == 3
    assert "pcgs: error:" in capsys.readouterr().err


def test_selftest_decoders_that_disagree_are_a_device_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode, known = selftest.decode_file, []

    def differently(path: Path, *, backend: selftest.EntropyBackend) -> object:
        known.append(backend)
        return decode(path, 1 if len(known) == 1 else 2, backend=backend)

    monkeypatch.setattr(selftest, "decode_file", differently)
    if selftest.best_backend() is selftest.EntropyBackend.NUMPY:
        pytest.skip("the native library is not built: there is nothing to disagree with")
    assert main([*CPU]) == 4
    assert "reinstall pcgs" in capsys.readouterr().err
