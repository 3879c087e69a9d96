"""The long fuzzing run: `python tests/fuzz/long_fuzz.py --count 100000 --jobs 2` (see --help).

Child processes decode damaged files. Crashes, hangs, wild memory and exceptions other than
BitstreamError are findings: their bytes are kept under build/fuzz/. Results: benchmarks/results.
"""

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
REPOSITORY = FUZZ.parents[1]
PATHS = (REPOSITORY, FUZZ, REPOSITORY / "tests" / "engine" / "codec", REPOSITORY / "benchmarks")
sys.path[:0] = [str(path) for path in PATHS]

from fuzz_worker import MODES, hostile_input  # noqa: E402
from machine import machine_description  # noqa: E402
from seed_files import seed_files  # noqa: E402

from pcgs_engine.atomic_file import write_atomically  # noqa: E402
from pcgs_engine.native.build import SANITIZED_FOLDER, build_sanitized  # noqa: E402
from pcgs_engine.native.library import load_native  # noqa: E402

RESULTS = REPOSITORY / "benchmarks" / "results" / "fuzz.json"
KEPT = REPOSITORY / "build" / "fuzz"
HANG_SECONDS = 10.0
BATCH = {"native": 4000, "numpy": 400}
ADDRESS_SPACE = 2048
"""MiB of a child that runs without AddressSanitizer (which reserves terabytes)."""
NOTHING: dict[str, object] = {"outcomes": {}, "levels_ready": {}, "findings": []}
SANITIZER = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=512"
    ":quarantine_size_mb=8",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "PYTHONMALLOC": "malloc",  # small objects too lie between red zones
}


@dataclass(frozen=True)
class Plan:
    """What the children do."""

    mode: str
    backend: str
    sanitized: bool
    files: Path

    @property
    def name(self) -> str:
        """Key of the results."""
        return f"{self.mode} {self.backend}{' sanitized' if self.sanitized else ''}"


def sanitizer_environment() -> dict[str, str]:
    """Return the variables under which a child may load the sanitized library."""
    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    preload = str(Path(found.stdout.strip()).resolve())
    return {**SANITIZER, "LD_PRELOAD": preload}


def run_batch(plan: Plan, first: int, count: int) -> dict[str, object]:
    """Run one child over some seeds; a child that dies is started again behind the culprit."""
    total = NOTHING
    end = first + count
    while first < end:
        done, culprit, why = _run_child(plan, first, end - first)
        if done is not None:
            return _merged(total, done)
        finding = {"seed": culprit, "names": "", "error": why}
        # What came before the culprit is run again, and counted then.
        before, _, _ = _run_child(plan, first, culprit - first) if culprit > first else (None,) * 3
        part = dict(before or NOTHING)
        part["outcomes"] = Counter(part["outcomes"]) + Counter({"finding: crash or hang": 1})
        part["findings"] = [*part["findings"], finding]
        total, first = _merged(total, part), culprit + 1
    return total


def _run_child(plan: Plan, first: int, count: int) -> tuple[dict[str, object] | None, int, str]:
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        progress.write_bytes(struct.pack("<q", first))
        command = [
            sys.executable, "-X", "faulthandler", str(FUZZ / "fuzz_worker.py"), "--files",
            str(plan.files), "--progress", str(progress), "--first", str(first), "--count",
            str(count), "--mode", plan.mode, "--backend", plan.backend,
        ]  # fmt: skip
        if plan.sanitized:
            environment |= sanitizer_environment()
            command += ["--library", str(SANITIZED_FOLDER)]
        else:
            command += ["--address-space", str(ADDRESS_SPACE)]
        out, errors = Path(folder) / "out", Path(folder) / "errors"
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            child = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr)
            hung = _watch(child, progress)
        (seed,) = struct.unpack("<q", progress.read_bytes()[:8])
        if child.returncode == 0:
            return json.loads(out.read_text(encoding="utf-8").splitlines()[-1]), seed, ""
        lines = [line for line in errors.read_text("utf-8", "replace").splitlines() if line.strip()]
        telling = next((x for x in lines if "ERROR" in x or "runtime error" in x), "")
        why = f"no end after {HANG_SECONDS:.0f} s" if hung else telling or " ".join(lines[-1:])
        return None, seed, f"exit {child.returncode}: {why}"[:300]


def _watch(child: "subprocess.Popen[bytes]", progress: Path) -> bool:
    """Wait for the child; kill it when a seed takes too long. Starting up takes time as well."""
    last, since = b"", time.monotonic() + 20.0
    while child.poll() is None:
        time.sleep(0.1)
        now = progress.read_bytes()
        if now != last:
            last, since = now, max(since, time.monotonic())
        elif time.monotonic() - since > HANG_SECONDS:
            child.kill()
            child.wait()
            return True
    return False


def _merged(one: dict[str, object], two: dict[str, object]) -> dict[str, object]:
    worst = max(one, two, key=lambda part: part.get("worst_seconds", 0.0))
    growth = max(part.get("worst_growth_bytes", 0) for part in (one, two))
    return {
        "outcomes": _sum(one["outcomes"], two["outcomes"]),
        "levels_ready": _sum(one["levels_ready"], two["levels_ready"]),
        "findings": [*one["findings"], *two["findings"]],
        "worst_seconds": worst.get("worst_seconds", 0.0),
        "worst_seed": worst.get("worst_seed", 0),
        "worst_growth_bytes": growth,
    }


def _sum(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(two)).items()))


def run(plan: Plan, first: int, count: int, jobs: int, results: Path) -> dict[str, object]:
    """Run all batches; the results file is written after each, so that a run can be resumed."""
    report = json.loads(results.read_text("utf-8")) if results.is_file() else {"runs": {}}
    before = report["runs"].get(plan.name)
    library = _library_hash(plan)
    fits = before is not None and before["library_sha256"] == library
    if fits and before["seeds"][1] == first:  # go on
        done, first_of_all, seconds = before, before["seeds"][0], before["seconds"]
    else:
        done, first_of_all, seconds = NOTHING, first, 0.0
    report["machine"] = machine_description()
    began = time.monotonic()
    size = BATCH[plan.backend]
    batches = [(at, min(size, first + count - at)) for at in range(first, first + count, size)]
    with ThreadPoolExecutor(jobs) as pool:
        for (at, number), part in zip(
            batches, pool.map(lambda b: run_batch(plan, *b), batches), strict=True
        ):
            done = _merged(done, part)
            report["runs"][plan.name] = {
                "seeds": [first_of_all, at + number],
                "seconds": round(seconds + time.monotonic() - began, 1),
                "library_sha256": library,
                **done,
            }
            write_atomically(results, (json.dumps(report, indent=1) + "\n").encode("utf-8"))
    return report["runs"][plan.name]


def _library_hash(plan: Plan) -> str:
    if plan.backend == "numpy":
        return ""
    if not plan.sanitized:
        return hashlib.sha256(Path(load_native()._name).read_bytes()).hexdigest()[:16]
    return hashlib.sha256(next(SANITIZED_FOLDER.glob("*.*")).read_bytes()).hexdigest()[:16]


def main() -> int:
    """Run what the command line names; 1 where there is a finding."""
    options = _options()
    if options.sanitize:
        build_sanitized()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        files = seed_files()
        for number, data in enumerate(files):
            (Path(folder) / f"{number}.pcgs").write_bytes(data)
        most = {"lengths": len(files[0]) + 1, "flips": 8 * len(files[0])}
        for mode in MODES if options.mode == "all" else (options.mode,):
            plan = Plan(mode, options.backend, options.sanitize, Path(folder))
            count = min(options.count, most.get(mode, options.count) - options.first)
            if count <= 0:
                continue
            result = run(plan, options.first, count, options.jobs, options.results)
            print(plan.name, json.dumps(result, indent=1))  # noqa: T201
            for finding in result["findings"]:
                status = 1
                _keep(plan, files, finding)
    return status


def _keep(plan: Plan, files: list[bytes], finding: dict[str, object]) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    _, _, data = hostile_input(files, int(finding["seed"]), plan.mode, plan.backend)
    name = f"{plan.name.replace(' ', '-')}-{finding['seed']}"
    (KEPT / f"{name}.bin").write_bytes(data)
    (KEPT / f"{name}.txt").write_text(json.dumps(finding, indent=1), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--count", type=int, default=100_000, help="inputs of each mode, as far as it has so many"
    )
    parser.add_argument(
        "--first", type=int, default=0, help="first seed; where a run ended goes on"
    )
    parser.add_argument("--jobs", type=int, default=1, help="child processes at once")
    parser.add_argument("--mode", choices=[*MODES, "all"], default="all")
    parser.add_argument("--backend", choices=["native", "numpy"], default="native")
    parser.add_argument(
        "--sanitize", action="store_true", help="build and use ASan and UBSan (gcc)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.sanitize and (options.backend == "numpy" or shutil.which("gcc") is None):
        parser.error("--sanitize is for the native backend and needs gcc")
    return options


if __name__ == "__main__":
    sys.exit(main())
