"""Kill a training with SIGKILL at random moments, resume it, and compare with an unbroken run.

    python benchmarks/crash_resume.py --kills 3

Prints what each kill lost and the held-out PSNR of both runs, measured from encoded files.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import write_result

from pcgs_engine.sample import sample_path

ENGINE = (sys.executable, "-m", "pcgs_engine")


def train_command(scene: Path, run: Path, options: argparse.Namespace) -> list[str]:
    """Return the command line of one training."""
    return [
        *ENGINE, "train", str(scene), "--out", str(run), "--iterations", str(options.iterations),
        "--max-size", str(options.size), "--device", "cpu", "--progress", "none",
    ]  # fmt: skip


def last_iteration(run: Path) -> int:
    """Return the iteration of the last progress message, 0 where there is none."""
    iteration = 0
    log = run / "log.jsonl"
    for line in log.read_text().splitlines() if log.is_file() else ():
        message = json.loads(line)
        if message["type"] == "progress":
            iteration = message["iteration"]
    return iteration


def final_psnr(run: Path, scene: Path, folder: Path) -> list[float]:
    """Encode a run and return the PSNR of every level, decoded by another process."""
    file = folder / f"{run.name}.pcgs"
    encode = [*ENGINE, "encode", str(run), "--out", str(file), "--no-quality"]
    subprocess.run([*encode, "--progress", "none"], check=True, stdout=subprocess.DEVNULL)
    judge = [*ENGINE, "eval", str(file), "--scene", str(scene), "--json", "--progress", "none"]
    done = subprocess.run(judge, check=True, stdout=subprocess.PIPE, text=True)
    return [level["psnr"] for level in json.loads(done.stdout)["levels"]]


def kill_once(command: list[str], run: Path, after: float) -> dict[str, float]:
    """Start or resume a training, kill it `after` seconds, return what was lost."""
    process = subprocess.Popen(command)
    time.sleep(after)
    process.kill()
    process.wait()
    checkpoint = run / "checkpoint.safetensors"
    saved = checkpoint.stat().st_mtime if checkpoint.is_file() else None
    now = time.time()
    return {
        "killed_after_seconds": after,
        "lost_seconds": now - saved if saved else after,
        "iteration": last_iteration(run),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, default=None, help="default: the embedded sample")
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options = parser.parse_args()
    scene, draw = options.scene or sample_path(), random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        straight, broken = folder / "straight", folder / "broken"
        start = time.monotonic()
        subprocess.run(train_command(scene, straight, options), check=True)
        whole = time.monotonic() - start
        kills, command = [], train_command(scene, broken, options)
        for _ in range(options.kills):
            after = draw.uniform(0.4, 0.9) * whole / options.kills
            kills.append(kill_once(command, broken, after))
            if (broken / "checkpoint.safetensors").is_file():
                command = [*train_command(scene, broken, options), "--resume"]
        subprocess.run([*train_command(scene, broken, options), "--resume"], check=True)
        body: dict[str, object] = {
            "iterations": options.iterations,
            "unbroken_seconds": whole,
            "kills": kills,
            "psnr_unbroken": final_psnr(straight, scene, folder),
            "psnr_resumed": final_psnr(broken, scene, folder),
        }
    print(json.dumps(body, indent=1))
    print(f"written: {write_result('crash_resume', body)}")


if __name__ == "__main__":
    main()
