"""What the viewport costs in a GUI Blender: redraws (beside the demo's), imports, level changes.

Needs a folder of tools (not part of this repository) with `blender_gui_run.sh`, which runs a
Blender on a virtual screen, and `demo_extension`, the simple way to draw splats:

    python benchmarks/viewport.py --tools DIR --root BLENDER --pcgs FILE
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import plyfile
from machine import write_result

from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.ply import write_ply

HERE = Path(__file__).resolve().parent
SH0 = 0.28209479177387814
BARS = {"sh0": 1.3, "sh3": 2.0}
"""Most that our cost may be, as a multiple of the demo's."""


def noisy_sphere(size: int, degree: int) -> SplatCloud:
    """A unit sphere of splats that overlap about as a capture's do."""
    random = np.random.default_rng(size)
    means = random.normal(size=(size, 3))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    means *= 1.0 + 0.1 * random.random((size, 1))
    scales = 3.0 / np.sqrt(size) * np.sqrt(0.3 + random.random((size, 3)))
    quats = random.normal(size=(size, 4))
    sh = np.zeros((size, (degree + 1) ** 2, 3))
    sh[:, 0] = 0.5 * means / 1.1 / SH0
    sh[:, 1:] = 0.05 * random.normal(size=sh[:, 1:].shape)
    return SplatCloud(
        means=means.astype(np.float32),
        scales=scales.astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        opacities=(0.3 + 0.6 * random.random(size)).astype(np.float32),
        sh=sh.astype(np.float32),
    )


def write_demo_file(path: Path, cloud: SplatCloud) -> None:
    """The same splats as the demo reads them: centres, covariances, colours."""
    w, x, y, z = cloud.quats.T.astype(np.float64)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    axes = np.stack([np.stack(row, 1) for row in rows], 1) * cloud.scales[:, None, :]
    full = axes @ axes.transpose(0, 2, 1)
    colors = np.clip(0.5 + SH0 * cloud.sh[:, 0], 0.0, 1.0)
    with path.open("wb") as file:
        np.savez(
            file,
            xyz=cloud.means,
            cov=full[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]].astype(np.float32),
            rgba=np.concatenate([colors, cloud.opacities[:, None]], 1).astype(np.float32),
            ends=np.array([len(cloud)]),
        )


def prepare(folder: Path, sizes: list[int], tools: Path) -> list[Path]:
    """Write the splat files; returns the folders Blender's Python needs on its path."""
    for size in sizes:
        for degree in (0, 3):
            write_ply(folder / f"{size}_{degree}.ply", noisy_sphere(size, degree))
        write_demo_file(folder / f"{size}.pcgslab", noisy_sphere(size, 0))
    wheels = folder / "wheels"
    for wheel in (tools / "demo_extension" / "wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(wheels)
    (wheels / "plyfile.py").write_bytes(Path(plyfile.__file__).read_bytes())
    return [HERE.parent, wheels, tools]


def run_blender(
    script: str, options: argparse.Namespace, folder: Path, paths: list[Path]
) -> dict[str, object]:
    """Run an inside half; returns what it measured."""
    files = [folder / f"{size}_3.ply" for size in options.sizes.split(",")[:2]]
    files += [path.resolve() for path in options.pcgs]
    environment = {
        **os.environ,
        "PCGS_BENCH_FILES": os.pathsep.join(map(str, files)),
        "PCGS_BENCH_FOLDER": str(folder),
        "PCGS_BENCH_SIZES": options.sizes,
        "PCGS_BENCH_ROUNDS": str(options.rounds),
        "PCGS_BENCH_PATHS": os.pathsep.join(map(str, paths)),
    }
    folders = {folder, HERE.parent, options.tools, *(path.parent for path in files)}
    shares = [part for path in sorted(folders) for part in ("--share", path)]
    command = [
        options.tools / "blender_gui_run.sh", "--root", options.root, *shares,
        "--timeout", "1800", "--log", folder / "blender.log", "--", "--factory-startup",
        "--gpu-backend", options.backend, "--python", HERE / script,
    ]  # fmt: skip
    subprocess.run([str(part) for part in command], check=False, env=environment, cwd=folder)
    result = folder / "result.json"
    if not result.is_file():
        reason = folder / "error.txt"
        log = folder / "blender.log"
        sys.exit(reason.read_text() if reason.is_file() else log.read_text()[-3000:])
    text = result.read_text()
    result.unlink()  # must not pass for the next run's
    return json.loads(text)


def show_import(result: dict[str, list[dict[str, object]]]) -> None:
    """Print what importing cost."""
    for name, rounds in result.items():
        print(name)
        for body in rounds:
            for key, value in body.items():
                print(f"  {key:28s} {value}")


def show(result: dict[str, object]) -> None:
    """Print the table."""
    print(f"Blender {result['blender']}, {result['backend']}, {result['renderer']}")
    for size, body in result["splats"].items():
        empty = body["redraw_ms"]["empty"]
        print(f"{size} splats; empty scene {empty['still']} still, {empty['turning']} turning, ms")
        for thing, cost in body["cost_ms"].items():
            ratio = body["cost_over_demo"].get(thing, {})
            bar = f"bar {BARS[thing]} x demo" if thing in BARS else ""
            print(f"  {thing}  {bar}")
            for kind, value in cost.items():
                times = f"   {ratio[kind]:6.2f} x demo" if kind in ratio else ""
                print(f"    {kind:12s} {value:+9.1f} ms{times}")
        print("  decoded file to first picture, ms:", body["first_picture_ms"])


def main() -> None:
    """Prepare, run, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", type=Path, required=True, help="folder of blender_gui_run.sh")
    parser.add_argument("--root", type=Path, required=True, help="the GUI Blender's folder")
    parser.add_argument("--backend", default="opengl", choices=("opengl", "vulkan"))
    parser.add_argument("--sizes", default="10000,100000,500000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pcgs", type=Path, nargs="*", default=[], help="files to import as well")
    parser.add_argument("--only", choices=("redraw", "import"), help="one half, into NAME_half")
    parser.add_argument("--name", default="viewport", help="of the JSON under results/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pcgs-viewport-") as name:
        folder = Path(name).resolve()
        sizes = [int(size) for size in options.sizes.split(",")]
        paths = prepare(folder, sizes, options.tools)
        body: dict[str, object] = {"bars": BARS}
        if options.only != "import":
            body |= run_blender("viewport_inside.py", options, folder, paths)
            show(body)
        if options.only != "redraw":
            body["import"] = run_blender("viewport_import_inside.py", options, folder, paths)
            show_import(body["import"])
    name = f"{options.name}_{options.only}" if options.only else options.name
    print(write_result(name, body))


if __name__ == "__main__":
    main()
