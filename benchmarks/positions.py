"""Bits per point and seconds of the position coder, on SfM points and on anchors of .pcgs files.

    python benchmarks/positions.py --points ../shared/data/garden_points/test_garden.npz scene.pcgs

Prints a table and writes `results/positions.json`. G-PCC's figures (tmc13 v23) are quoted, not run.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import write_result

from pcgs_engine.codec import decode_file
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.octree import decode_positions, encode_positions
from pcgs_engine.entropy.positions import coding_order

POINTS_AT_ONCE = 100_000
"""Size of the set whose time is compared with the bars."""
GPCC = {"garden 16 bit": (18.63, 18.41), "garden 12 bit": (7.56, 7.30)}
"""Bit/point of G-PCC tmc13 v23 with the paper's options, and with QTBT and planar mode.
Source: measured for the project's codec study on the same points, same grid."""
Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Measured on one set of points."""

    name: str
    points: int
    size: int  # bytes
    bits: float  # per point
    seconds: dict[str, list[float]]
    """Backend to [encode, decode]."""


def ordered(points: npt.NDArray[np.integer]) -> Int32Array:
    unique = np.unique(points.astype(np.int32), axis=0)
    return unique[coding_order(unique)]


def voxelized(points: npt.NDArray[np.float64], bits: int) -> Int32Array:
    """Return distinct points on a cubic grid of 2**bits cells along the longest side."""
    moved = points - points.min(axis=0)
    return ordered(np.floor(moved / moved.max() * (2**bits - 1) + 0.5))


def anchors_by_level(path: Path) -> list[tuple[str, Int32Array]]:
    """Return the new anchors of each level."""
    decoder = decode_file(path)
    result, start = [], 0
    for level in range(1, decoder.levels_ready + 1):
        positions = decoder.canvas(level).positions
        result.append((f"{path.parent.name}/{path.stem} level {level}", ordered(positions[start:])))
        start = len(positions)
    return result


def measure(name: str, points: Int32Array, repeats: int) -> Result:
    backends = sorted({EntropyBackend.NUMPY, best_backend()}, key=lambda backend: backend.value)
    seconds: dict[str, list[float]] = {}
    data = b""
    for backend in backends:
        times = np.zeros((repeats, 2))
        for run in times:
            start = time.perf_counter()
            data = encode_positions(points, backend)
            middle = time.perf_counter()
            found = decode_positions(data, len(points), backend)
            run[:] = middle - start, time.perf_counter() - middle
            if not np.array_equal(found, points):
                raise SystemExit(f"{name}: decoded points differ with {backend.value}")
        seconds[backend.value] = [round(float(t), 4) for t in times.min(axis=0)]
    bits = round(8 * len(data) / max(len(points), 1), 3)
    return Result(name=name, points=len(points), size=len(data), bits=bits, seconds=seconds)


def show(result: Result) -> None:
    reference = GPCC.get(result.name)
    quoted = "{:.2f} / {:.2f}".format(*reference) if reference else ""
    times = "; ".join(f"{name} {a:.3f} / {b:.3f}" for name, (a, b) in result.seconds.items())
    print(
        f"| {result.name} | {result.points:,} | {result.size:,} | {result.bits:.3f} | {quoted} "
        f"| {times} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--points", type=Path, help="npz with `means3d`, named garden in the table")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    sets: list[tuple[str, Int32Array]] = []
    if options.points:
        with np.load(options.points) as file:
            cloud = file["means3d"].astype(np.float64)
        sets += [(f"garden {bits} bit", voxelized(cloud, bits)) for bits in (16, 12)]
        sets += [(f"first 100k of {name}", points[:POINTS_AT_ONCE]) for name, points in sets]
    for path in options.files:
        sets += anchors_by_level(path)
    print("| set | points | bytes | bit/point | G-PCC | seconds encode / decode |")
    print("|---|---|---|---|---|---|")
    results = []
    for name, points in sets:
        results.append(measure(name, ordered(points), options.repeats))
        show(results[-1])
    rows = [
        {"set": r.name, "points": r.points, "bytes": r.size, "bits_per_point": r.bits,
         "seconds_encode_decode": r.seconds}
        for r in results
    ]  # fmt: skip
    gpcc = {name: {"paper": a, "qtbt_planar": b} for name, (a, b) in GPCC.items()}
    print(write_result("positions", {"gpcc_bits_per_point": gpcc, "sets": rows}))


if __name__ == "__main__":
    main()
