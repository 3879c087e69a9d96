"""Hostile files: clear errors or the complete levels; never a crash, a hang or wild memory.

The short version of `long_fuzz.py`, with the same mutations and its first seeds.
"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from fuzz_worker import MODES, hostile_input, try_input
from hostile_file import HostileFile, resealed
from long_fuzz import Plan, run_batch, sanitizer_environment
from outcome import check_truth, examine
from seed_files import seed_files

from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.errors import ChecksumError
from pcgs_engine.native.build import SANITIZED_FOLDER
from pcgs_engine.native.library import SIGNATURES

QUICK = {EntropyBackend.NATIVE: 11, EntropyBackend.NUMPY: 97}
"""Every how many-th case is tried."""
MUTATIONS = {EntropyBackend.NATIVE: 160, EntropyBackend.NUMPY: 16}


@pytest.fixture(scope="module")
def files():
    return seed_files()


@pytest.fixture(scope="module")
def references(files):
    return [examine(data, EntropyBackend.NUMPY) for data in files]


def test_hostile_file_parse_and_build_change_nothing(files):
    for data in files:
        assert HostileFile.parse(data).build() == data
        assert resealed(data, chunks=True) == data


def test_decoder_both_backends_give_the_same_content(backend, files, references):
    assert [examine(data, backend) for data in files] == references


def test_decoder_every_length_gives_whole_levels(backend, files, references):
    data, reference = files[0], references[0]
    ends = [record.end for record in _decoded(data).table.levels]
    lengths = {*range(0, len(data), QUICK[backend]), *ends, *(end - 1 for end in ends)}
    for length in sorted(lengths):
        found = examine(data[:length], backend, reference=reference)
        check_truth(found, reference)
        assert len(found.digests) == sum(length >= end for end in ends)
        assert (found.word == "TruncatedError") == (not found.digests)


def test_decoder_every_flipped_byte_raises_or_changes_nothing(backend, files, references):
    data, reference = files[0], references[0]
    padding = 0
    for place in range(0, len(data), QUICK[backend]):
        broken = bytearray(data)
        broken[place] ^= 1 << (place % 8)
        found = examine(bytes(broken), backend, reference=reference)
        check_truth(found, reference)
        padding += found.word == "same"
    assert padding < 40  # zero bytes between chunks are all that no checksum covers


@pytest.mark.parametrize("mode", MODES[2:])
def test_decoder_mutated_files_are_refused_or_decode(backend, mode, files, references):
    for seed in range(MUTATIONS[backend]):
        _, at, data = hostile_input(files, seed, mode, backend.value)
        try_input(data, seed, mode, backend, references[at])


def test_both_decoders_make_the_same_of_wrong_symbols(files, references):
    # Far from what an encoder writes, and still the same integers.
    if best_backend() is not EntropyBackend.NATIVE:
        pytest.skip("native library is not built: python -m pcgs_engine.native.build")
    for seed in range(3, 64, 4):
        _, at, data = hostile_input(files, seed, "no-crc", "numpy")
        native, plain = (
            try_input(data, seed, "no-crc", backend, references[at])
            for backend in (EntropyBackend.NATIVE, EntropyBackend.NUMPY)
        )
        assert replace(native, message="") == replace(plain, message="")


def test_mutations_are_the_same_for_a_seed(files):
    for seed in range(50):
        one, two = (hostile_input(files, seed, "no-crc", "native") for _ in range(2))
        assert one == two


def test_decoder_changed_context_weight_is_caught_by_digest(backend):
    # What a machine with a different context model would see: other laws, the same streams.
    from synthetic_model import synthetic_model

    coded = synthetic_model(40)
    scene = encode_chunks(coded)
    coded.context.offset.out_bias[:] += 4000
    other = HostileFile.parse(encode_chunks(coded).to_bytes({}))
    mixed = HostileFile.parse(scene.to_bytes({})).with_data(b"NETW", other.data(b"NETW"))
    found = examine(mixed.build(), backend)
    assert found.digests == ()
    assert found.word in ("ChecksumError", "MalformedError")


def test_decoder_random_bytes_raise(backend):
    chance = np.random.default_rng(1)
    for length in (0, 1, 63, 64, 65, 500, 5000):
        assert examine(chance.bytes(length), backend).word in ("TruncatedError", "MalformedError")


def test_decoder_after_error_repeats_it_and_keeps_ready_levels(files):
    decoder = ProgressiveDecoder()
    ends = [record.end for record in _decoded(files[0]).table.levels]
    broken = bytearray(files[0])
    broken[ends[1] - 1] ^= 1
    for _ in range(2):
        with pytest.raises(ChecksumError):
            decoder.feed(bytes(broken))
    assert decoder.levels_ready == 1
    assert len(decoder.anchors(1)) > 0


@pytest.fixture(scope="module")
def sanitized():
    if not any(SANITIZED_FOLDER.glob("*")):
        pytest.skip("no sanitized library: python -m pcgs_engine.native.build --sanitize")
    names = [
        n for n in SIGNATURES if n.encode() not in next(SANITIZED_FOLDER.glob("*")).read_bytes()
    ]
    if names:
        pytest.skip(f"sanitized library is old: no {names[0]}; build it again")


@pytest.mark.parametrize("mode", MODES[3:])
def test_sanitized_library_mutated_files_leave_no_finding(sanitized, mode, files, tmp_path):
    for number, data in enumerate(files):
        (tmp_path / f"{number}.pcgs").write_bytes(data)
    found = run_batch(Plan(mode, "native", sanitized=True, files=tmp_path), 0, 100)
    assert found["findings"] == []
    assert sum(found["outcomes"].values()) == 100


def test_sanitized_library_stops_at_a_read_out_of_bounds(sanitized):
    # Otherwise the runs above would prove nothing.
    path = next(SANITIZED_FOLDER.glob("*"))
    program = (
        "import ctypes, numpy as np\n"
        f"library = ctypes.CDLL({str(path)!r})\n"
        "library.pcgs_requantize.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 4\n"
        "a = np.zeros(8, np.float32)\n"
        "library.pcgs_requantize(a.ctypes.data, a.ctypes.data, a.ctypes.data, 0, 0, 40, 8)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=sanitizer_environment(), capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr


def test_runner_reports_a_child_that_dies(tmp_path, monkeypatch):
    import long_fuzz

    def dying(plan, first, count):
        dies = first <= 3 < first + count
        part = {"outcomes": {"same": count}, "levels_ready": {}, "findings": []}
        return (None, 3, "exit -11: ") if dies else (part, first, "")

    monkeypatch.setattr(long_fuzz, "_run_child", dying)
    found = run_batch(Plan("crc", "native", sanitized=False, files=tmp_path), 0, 10)
    assert [finding["seed"] for finding in found["findings"]] == [3]
    assert found["outcomes"] == {"same": 9, "finding: crash or hang": 1}


def _decoded(data):
    decoder = ProgressiveDecoder()
    decoder.feed(data)
    return decoder
