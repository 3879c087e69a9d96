"""A 3DGS PLY through the formats people use: their bytes, and the quality of what comes back.

    python benchmarks/peer_formats.py splats.ply --scene ../shared/data/fox --out points.json

SPZ, SOG and compressed PLY are written and read by `@playcanvas/splat-transform`
(`npm install --prefix benchmarks/peers` puts it and its Node.js there). gsplat's `PngCompression`
needs packages that are not on every machine. What cannot run is listed with its reason.
"""

import argparse
import importlib.util
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

from cloud_renderer import CloudRenderer  # noqa: E402

from pcgs_engine.atomic_file import write_atomically  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.splats.ply import read_ply  # noqa: E402
from pcgs_engine.training.evaluate import evaluate_level  # noqa: E402

PEERS = Path(__file__).resolve().parent / "peers" / "node_modules"
NODE = PEERS / "node" / "bin" / "node"
TOOL = PEERS / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs"
FORMATS = {"SPZ": ".spz", "SOG": ".sog", "compressed PLY": ".compressed.ply"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPoint:
    """One format."""

    format: str
    bytes: int
    splats: int
    psnr: float
    ssim: float
    encode_seconds: float
    decode_seconds: float


def convert(source: Path, target: Path, limit: float, *options: str) -> float:
    """Convert and return the seconds it took, start of the program included.

    Raises:
        subprocess.CalledProcessError: the tool failed; `stderr` says why.
        subprocess.TimeoutExpired: it took more than `limit` seconds.
    """
    start = time.monotonic()
    subprocess.run(
        [str(NODE), str(TOOL), "-w", "-q", "-g", "cpu", *options, str(source), str(target)],
        check=True, capture_output=True, text=True, timeout=limit,
    )  # fmt: skip
    return time.monotonic() - start


def png_compression_reason() -> str:
    """Return why gsplat's PngCompression does not run here."""
    wanted = ("imageio", "plas", "torchpq")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "its clustering (torchpq) runs on CUDA only"


class PeerJudge:
    """Judges splat files on held-out views."""

    def __init__(self, scene: Path, size: int, threads: int) -> None:
        self._scene = load_scene(scene, max_size=size)
        self._store = ImageStore(self._scene.background)
        self._rasterizer = CpuRasterizer(threads=threads)

    def point(
        self, name: str, stored: Path, decoded: Path, encode: float, decode: float
    ) -> PeerPoint:
        """Return what `stored` costs and `decoded`, a PLY, shows."""
        cloud = read_ply(decoded)
        renderer = CloudRenderer(
            cloud, rasterizer=self._rasterizer, background=self._scene.background
        )
        quality = evaluate_level(renderer, self._scene.test_views, self._store)
        return PeerPoint(
            format=name, bytes=stored.stat().st_size, splats=len(cloud), psnr=quality.psnr,
            ssim=quality.ssim, encode_seconds=encode, decode_seconds=decode,
        )  # fmt: skip


def peer_points(
    ply: Path, judge: PeerJudge, limit: float, sog_iterations: int
) -> tuple[list[PeerPoint], dict[str, str]]:
    """Return the points, and by format the reason of those that do not end in `limit` seconds."""
    points, skipped = [judge.point("PLY", ply, ply, 0.0, 0.0)], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, suffix in FORMATS.items():
            stored, decoded = Path(folder, f"splats{suffix}"), Path(folder, "decoded.ply")
            if not (NODE.is_file() and TOOL.is_file()):
                skipped[name] = "no splat-transform; run npm install --prefix benchmarks/peers"
                continue
            try:
                own = ("-i", str(sog_iterations)) if name == "SOG" else ()
                encode = convert(ply, stored, limit, *own)
                decode = convert(stored, decoded, limit)
            except subprocess.TimeoutExpired:
                skipped[name] = f"stopped after {limit / 60:.0f} minutes (--minutes)"
                continue
            except (OSError, subprocess.CalledProcessError) as error:
                skipped[name] = str(getattr(error, "stderr", "") or error).strip()[-300:]
                continue
            points.append(judge.point(name, stored, decoded, encode, decode))
    skipped["gsplat PngCompression"] = png_compression_reason()
    return points, skipped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ply", type=Path)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=120, help="limit of one conversion")
    parser.add_argument(
        "--sog-iterations", type=int, default=10, help="of SOG's clustering; 10 is its own default"
    )
    options = parser.parse_args()
    judge = PeerJudge(options.scene, options.size, options.threads)
    limit = 60 * options.minutes
    points, skipped = peer_points(options.ply, judge, limit, options.sog_iterations)
    for name, reason in skipped.items():
        print(f"{name}: not run, {reason}")
    body = {
        "points": [asdict(p) for p in points],
        "skipped": skipped,
        "sog_iterations": options.sog_iterations,
    }
    text = json.dumps(body, indent=1)
    write_atomically(options.out, lambda stream: stream.write(text.encode()))


if __name__ == "__main__":
    main()
