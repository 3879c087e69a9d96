"""One child of `long_fuzz.py`: a range of seeds in, one line of JSON on standard output.

The parent sees crashes by the exit status, and hangs by a seed that stays in the progress file.
"""

import argparse
import json
import mmap
import random
import resource
import struct
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from mutations import mutate
from outcome import Outcome, check_truth, examine, no_digests

from pcgs_engine.entropy.backend import EntropyBackend
from pcgs_engine.native import library

MODES = ("lengths", "flips", "crc", "no-crc")
"""Every length and every flipped bit of the first file; random mutations with and without CRCs."""
MEMORY_BUDGET = 64 << 20
"""Bytes that a process may grow by over all its inputs: files are below 8 kB."""
WEIGHTS = {"native": (6, 3, 1), "numpy": (12, 1, 0)}
"""How often each seed file is taken: the slow ones less."""


def hostile_input(files: list[bytes], seed: int, mode: str, backend: str) -> tuple[str, int, bytes]:
    """Return the names of the mutations, the index of the file and the damaged bytes."""
    if mode == "lengths":
        return mode, 0, files[0][:seed]
    if mode == "flips":
        broken = bytearray(files[0])
        broken[seed // 8] ^= 1 << seed % 8
        return mode, 0, bytes(broken)
    chance = random.Random(f"{mode} {seed}")  # noqa: S311 - reproducible
    at = chance.choices(range(len(files)), WEIGHTS[backend])[0]
    # Half of the inputs with CRC checks on carry right CRCs, as a forger would write them.
    names, data = mutate(files[at], files, chance, sealed=mode == "no-crc" or seed % 2 == 0)
    return names, at, data


def try_input(
    data: bytes, seed: int, mode: str, backend: EntropyBackend, reference: Outcome
) -> Outcome:
    """Decode one input as its mode wants; raises what is a finding."""
    if mode != "no-crc":
        found = examine(data, backend, reference=reference)
        if mode != "crc" or seed % 2:
            check_truth(found, reference)
        return found
    if seed % 2 == 0:
        return examine(data, backend, check_crcs=False, reference=reference)
    with no_digests(lenient=seed % 4 == 3):
        return examine(data, backend, check_crcs=False, reference=reference)


def main() -> int:
    """Run the range; findings do not end it."""
    options = _options()
    if options.library is not None:
        library.LIBRARY_FOLDER = options.library
    if options.address_space:
        resource.setrlimit(resource.RLIMIT_AS, (options.address_space << 20,) * 2)
    backend = EntropyBackend(options.backend)
    files = [path.read_bytes() for path in sorted(options.files.glob("*.pcgs"))]
    references = [examine(file, backend) for file in files]
    with options.progress.open("r+b") as stream, mmap.mmap(stream.fileno(), 8) as progress:
        print(json.dumps(_run(options, backend, files, references, progress)))  # noqa: T201
    return 0


def _run(options, backend, files, references, progress) -> dict[str, object]:
    words, ready, findings, slowest, slowest_seed = Counter(), Counter(), [], 0.0, 0
    start = _memory(reset=True)
    for seed in range(options.first, options.first + options.count):
        progress[:8] = struct.pack("<q", seed)
        names, at, data = hostile_input(files, seed, options.mode, options.backend)
        began = time.perf_counter()
        try:
            found = try_input(data, seed, options.mode, backend, references[at])
            word = found.word
            ready[f"{len(found.digests)} of {len(references[at].digests)}"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            word = f"finding: {type(error).__name__}"
            findings.append(_finding(seed, names, error))
        seconds = time.perf_counter() - began
        words[word] += 1
        if seconds > slowest:
            slowest, slowest_seed = seconds, seed
    grown = _memory() - start
    if grown > MEMORY_BUDGET:
        findings.append({"seed": options.first, "names": "", "error": f"grew by {grown} bytes"})
    return {
        "outcomes": words,
        "levels_ready": ready,
        "findings": findings,
        "worst_seconds": round(slowest, 4),
        "worst_seed": slowest_seed,
        "worst_growth_bytes": grown,
    }


def _finding(seed: int, names: str, error: Exception) -> dict[str, object]:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return {
        "seed": seed, "names": names, "error": f"{type(error).__name__}: {error} at {where}"[:300]
    }  # fmt: skip


def _memory(*, reset: bool = False) -> int:
    """Return the peak resident bytes of this process since the last reset; 0 outside Linux.

    getrusage would tell of the parent's peak too, which is larger.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--progress", type=Path, required=True)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--address-space", type=int, default=0, help="MiB, 0 for no limit")
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--backend", choices=["native", "numpy"], required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
