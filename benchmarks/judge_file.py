"""One `.pcgs` file to JSON, in a process of its own: quality at every cut point, and as exported.

python benchmarks/judge_file.py scene.pcgs --scene ../shared/data/fox --out points.json
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

from exported_splats import exported_levels  # noqa: E402
from file_points import file_points  # noqa: E402

from pcgs_engine.atomic_file import write_atomically  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rasterizer = CpuRasterizer(threads=options.threads)
    points = file_points(options.file, options.scene, rasterizer)
    exported = exported_levels(options.file, options.scene, rasterizer)
    body = {"points": [asdict(p) for p in points], "exported": [asdict(e) for e in exported]}
    text = json.dumps(body, indent=1).encode()
    write_atomically(options.out, lambda stream: stream.write(text))


if __name__ == "__main__":
    main()
