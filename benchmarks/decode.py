"""Seconds and memory from bytes to splats, level by level, in fresh processes without torch.

    python benchmarks/decode.py runs/preview_scenes/bonsai/run

The run's scene is tiled to 100,000 anchors at level 1 (`tiled_scene.py`), with all their symbols.
Every figure is the median of processes that may use two cores, cannot import torch and have the
bytes in memory. "numpy" means that the native library is not there. Stages come from other
processes, whose functions are wrapped from outside. Writes `results/decode.json`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

BACKENDS = ("native", "numpy")
SECONDS_BAR = {"native": 1.0, "numpy": 6.0}
MEMORY_BAR, NEXT_BAR = 500.0, 0.6
MEGABYTE = 1e6
NO_LIBRARY = Path("no native library")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From what is decoded to the splats of a level."""

    level: int
    seconds: float
    decode_seconds: float
    splats: int
    stages: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process."""

    import_seconds: float
    steps: tuple[Step, ...]
    peak_megabytes: float
    """Of the process, less the interpreter with numpy."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("--anchors", type=int, default=100_000, help="at level 1")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--name", default="decode", help="name of the result file")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


# --- the measured process: knows the file only ---------------------------------------------------


def child(file: Path, options: dict[str, object]) -> Sample:
    """Decode `options["levels"]`, a list of levels reached one after the other."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[: int(str(options["cores"]))]
        os.sched_setaffinity(0, cores)
    sys.modules["torch"] = None  # type: ignore[assignment]
    import numpy  # noqa: F401 - the interpreter with numpy is what memory is counted from

    before = peak_bytes()
    start = time.perf_counter()
    from pcgs_engine.codec import ProgressiveDecoder, inspect_file
    from pcgs_engine.native import library
    from pcgs_engine.splats import to_splats

    imported = time.perf_counter() - start
    if options["backend"] == "numpy":
        library.LIBRARY_FOLDER = NO_LIBRARY
    ends = [level.bytes for level in inspect_file(file).levels]
    data, stages = file.read_bytes(), stage_reader(bool(options["stages"]))
    decoder, done, steps = ProgressiveDecoder(), 0, []
    for level in options["levels"]:  # type: ignore[attr-defined]
        piece = data[done : ends[level - 1]]
        start = time.perf_counter()
        seconds = stages(lambda piece=piece: decoder.feed(piece), "other")
        middle = time.perf_counter()
        splats = stages(
            lambda level=level: to_splats(
                decoder.anchors(level), decoder.head, decoder.config, decoder.camera_centres
            ),
            "splats",
        )
        end = time.perf_counter()
        steps.append(
            Step(
                level=level, seconds=end - start, decode_seconds=middle - start,
                splats=len(splats[0]), stages={**seconds[1], **splats[1]},
            )
        )  # fmt: skip
        done = ends[level - 1]
    peak = (peak_bytes() - before) / MEGABYTE
    return Sample(import_seconds=imported, steps=tuple(steps), peak_megabytes=peak)


def stage_reader(
    wanted: bool,
) -> Callable[[Callable[[], object], str], tuple[object, dict[str, float]]]:
    """Return what runs work and tells its seconds by stage; nothing is wrapped if not wanted."""
    if not wanted:
        return lambda work, _: (work(), {})
    from decode_stages import Stopwatch, watch_decoder

    watch = Stopwatch()
    watch_decoder(watch)

    def run(work: Callable[[], object], rest: str) -> tuple[object, dict[str, float]]:
        watch.seconds.clear()
        return watch.measure(rest, work), dict(watch.seconds)

    return run


def peak_bytes() -> int:
    """Return the peak of the resident memory of this process."""
    status = Path("/proc/self/status")
    if status.is_file():  # unlike getrusage it does not know the parent's peak
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# --- the process that asks -----------------------------------------------------------------------


def sample(file: Path, options: argparse.Namespace, **asked: object) -> Sample:
    """Run a child and read what it found."""
    asked = {"file": str(file), "cores": options.cores, **asked}
    command = [sys.executable, __file__, str(file), "--child", json.dumps(asked)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    steps = tuple(Step(**step) for step in found.pop("steps"))
    return Sample(steps=steps, **found)


def write_file(run: Path, anchors: int, path: Path) -> dict[str, object]:
    """Encode the tiled scene; returns what it is."""
    from tiled_scene import tiled

    from pcgs_engine.codec import encode, inspect_file
    from pcgs_engine.levels.split_levels import split_levels
    from pcgs_engine.training.checkpoint import load_trained

    path.write_bytes(encode(tiled(split_levels(load_trained(run)), anchors), {}))
    info = inspect_file(path)
    return {
        "source": f"{run.resolve().parent.name}, tiled",
        "levels": [
            {"level": o.level, "bytes": o.bytes, "anchors": o.anchors, "gaussians": o.splats}
            for o in info.levels
        ],
    }


def measure(
    file: Path, backend: str, levels: int, options: argparse.Namespace
) -> dict[str, object]:
    """Return the figures of one backend."""
    everything = list(range(1, levels + 1))
    ask = {"backend": backend, "stages": False}
    onwards = [sample(file, options, levels=everything, **ask) for _ in range(options.repeats)]
    first = [sample(file, options, levels=[1], **ask) for _ in range(options.repeats)]
    scratch = {
        level: [sample(file, options, levels=[level], **ask) for _ in range(options.repeats)]
        for level in everything[1:]
    }
    ask["stages"] = True
    staged = [sample(file, options, levels=everything, **ask) for _ in range(options.repeats)]
    middle = sorted(staged, key=lambda s: s.steps[0].seconds)[len(staged) // 2]
    return {
        "level_1_seconds": [s.steps[0].seconds for s in first],
        "level_1_decode_seconds": [s.steps[0].decode_seconds for s in first],
        "level_1_peak_megabytes": max(s.peak_megabytes for s in first),
        "last_level_peak_megabytes": max(s.peak_megabytes for s in onwards),
        "import_seconds": statistics.median(s.import_seconds for s in first),
        "next_level_seconds": {
            level: [s.steps[level - 1].seconds for s in onwards] for level in everything[1:]
        },
        "scratch_seconds": {
            level: [s.steps[0].seconds for s in found] for level, found in scratch.items()
        },
        "stages": {step.level: step.stages for step in middle.steps},
    }


def show(backend: str, found: dict[str, object]) -> None:
    """Print the figures beside their bars."""
    seconds = found["level_1_seconds"]
    middle = statistics.median(seconds)  # type: ignore[arg-type]
    print(
        f"| {backend} | 1 | {middle:.3f} ({min(seconds):.3f}..{max(seconds):.3f}) "  # type: ignore[call-overload]
        f"| <= {SECONDS_BAR[backend]} s | {found['level_1_peak_megabytes']:.0f} MB "
        f"(<= {MEMORY_BAR:.0f}) |"
    )
    for level, times in found["next_level_seconds"].items():  # type: ignore[attr-defined]
        whole = statistics.median(found["scratch_seconds"][level])  # type: ignore[index]
        share = statistics.median(times) / whole
        print(
            f"| {backend} | {level} after {level - 1} | {statistics.median(times):.3f} "
            f"| {share:.2f} of {whole:.3f} s (<= {NEXT_BAR}) | |",
            flush=True,
        )


def show_stages(results: dict[str, dict[str, object]], levels: int) -> None:
    """Print seconds by stage, a column per backend and level."""
    columns = [(backend, level) for backend in results for level in range(1, levels + 1)]
    print("\n| stage, s | " + " | ".join(f"{b} {n}" for b, n in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    stages: dict[str, None] = {}
    for backend, level in columns:
        stages |= dict.fromkeys(results[backend]["stages"][level])  # type: ignore[index]
    for stage in stages:
        row = [results[b]["stages"][n].get(stage, 0.0) for b, n in columns]  # type: ignore[index]
        print(f"| {stage} | " + " | ".join(f"{x:.3f}" for x in row) + " |")


def main() -> None:
    options = parse()
    if options.child:
        print(json.dumps(asdict(child(options.run_folder, options.child))))
        return
    from machine import write_result

    results: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiled.pcgs"
        scene = write_file(options.run_folder, options.anchors, file)
        print(f"{scene}, load {os.getloadavg()[0]:.2f}\n", flush=True)
        print("| backend | level | seconds | bar | peak memory |\n|---|---|---|---|---|")
        levels = len(scene["levels"])  # type: ignore[arg-type]
        for backend in BACKENDS:
            results[backend] = measure(file, backend, levels, options)
            show(backend, results[backend])
    show_stages(results, levels)
    body = {"cores": options.cores, "load": os.getloadavg()[0], "scene": scene, **results}
    print(f"\nwritten: {write_result(options.name, body)}")


if __name__ == "__main__":
    main()
