"""Do all ways to decode a file give the same integers, and all ways to encode it the same bytes?

    python benchmarks/determinism.py scene.pcgs ... --run runs/scene \
        --python .venv313/bin/python --python .venv_numpy2/bin/python

Each row is a fresh process that decodes all files, level by level, and hashes the decoded integers
and the dequantized anchors; the first row is what the others are compared with. "kernel" is what
OpenBLAS says it runs; kernels that this processor lacks are skipped. `--python` adds interpreters
with numpy; `--run` adds encoders. Rows with CUDA need a device. Ends with status 1 where a row
differs. Writes `results/determinism.json`.
"""

import argparse
import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "SkylakeX")
THREADS = (1, 2, 4)
LINES = ("positions", "mask_level", "features", "scaling", "offsets")
VALUES = ("positions", "features", "scaling", "offsets", "gaussian_mask")
ILLEGAL = -signal.SIGILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to do it, for a child process."""

    name: str
    python: str = sys.executable
    backend: str = "native"
    threads: int = 0
    """Of the native library and of BLAS; 0 leaves both alone."""
    product: str = "numpy"
    """numpy, or a torch device, or `cuda tf32`."""
    environment: dict[str, str] = field(default_factory=dict)


# --- the child -----------------------------------------------------------------------------------


def child(asked: dict[str, str]) -> dict[str, object]:
    """Decode or encode; returns hashes by name and what ran."""
    if int(asked["threads"]):
        os.process_cpu_count = lambda: int(asked["threads"])  # type: ignore[attr-defined]
    import numpy as np

    from pcgs_engine.native import library

    if asked["backend"] == "numpy":
        library.LIBRARY_FOLDER = Path("no native library")
    product = product_of(asked["product"], int(asked["threads"]))
    names = [Path(name) for name in json.loads(asked["files"])]
    if asked["job"] == "encode":
        hashes = {run.parent.name: encoded_hash(run, asked["backend"], product) for run in names}
    else:
        hashes = {file.name: decoded_hashes(file, asked["backend"], product) for file in names}
    return {
        "hashes": hashes,
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": np.__version__,
        "kernel": blas_kernel(),
    }


def product_of(name: str, threads: int) -> Callable[..., object]:
    """Return who multiplies matrices."""
    if name == "numpy":
        from pcgs_engine.entropy.exact_product import numpy_product

        return numpy_product
    import torch

    from pcgs_engine.model.torch_product import TorchProduct

    if threads:
        torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = name.endswith("tf32")
    return TorchProduct(torch.device(name.split()[0]))


def decoded_hashes(file: Path, backend: str, product: Callable[..., object]) -> list[str]:
    """Return digest and hash of every level; the decoder has compared the digests itself."""
    from pcgs_engine.codec import ProgressiveDecoder
    from pcgs_engine.entropy.backend import EntropyBackend

    decoder = ProgressiveDecoder(backend=EntropyBackend(backend), product=product)  # type: ignore[arg-type]
    decoder.feed(file.read_bytes())
    decoder.finish()
    found = []
    for level in range(1, decoder.levels_ready + 1):
        content = hashlib.sha256()
        for names, owner in ((LINES, decoder.canvas(level)), (VALUES, decoder.anchors(level))):
            for name in names:
                content.update(getattr(owner, name).tobytes())
        found.append(f"{decoder.digest(level).hex()} {content.hexdigest()[:16]}")
    return found


def encoded_hash(run: Path, backend: str, product: Callable[..., object]) -> str:
    """Return the hash of a file without metadata."""
    from pcgs_engine.codec import encode_chunks
    from pcgs_engine.entropy.backend import EntropyBackend
    from pcgs_engine.levels.split_levels import split_levels
    from pcgs_engine.training.checkpoint import load_trained

    coded = split_levels(load_trained(run))
    encoded = encode_chunks(coded, backend=EntropyBackend(backend), product=product)  # type: ignore[arg-type]
    return hashlib.sha256(encoded.to_bytes({})).hexdigest()[:16]


def blas_kernel() -> str:
    """Return the processor whose kernels numpy's OpenBLAS runs, where it can be asked."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.is_file() else []
    for path in sorted({line.split()[-1] for line in lines if "openblas" in line}):
        blas = ctypes.CDLL(path)
        for name in ("openblas_get_corename", "scipy_openblas_get_corename"):
            for suffix in ("64_", "", "_64_"):
                function = getattr(blas, name + suffix, None)
                if function is not None:
                    function.restype = ctypes.c_char_p
                    return str(function().decode())
    return ""


# --- the process that asks -----------------------------------------------------------------------


def decoding_ways(pythons: Sequence[str]) -> list[Way]:
    ways = [Way(name="native"), Way(name="numpy, no native library", backend="numpy")]
    for backend in ("native", "numpy"):
        ways += [Way(name=f"{backend}, {n} threads", backend=backend, threads=n) for n in THREADS]
    ways += [
        Way(name=f"numpy, OpenBLAS for {kernel}", backend=backend,
            environment={"OPENBLAS_CORETYPE": kernel})
        for kernel in KERNELS for backend in ("numpy",)
    ]  # fmt: skip
    ways += [Way(name=f"torch CPU, {n} threads", product="cpu", threads=n) for n in (1, 2)]
    if has_cuda():
        ways += [Way(name=f"torch {device}", product=device) for device in ("cuda", "cuda tf32")]
    for python in pythons:
        ways += [
            Way(name=f"{backend}, other interpreter", python=python, backend=backend)
            for backend in ("native", "numpy")
        ]
    return ways


def encoding_ways() -> list[Way]:
    ways = [Way(name=f"encode, {b}", backend=b) for b in ("native", "numpy", "torchac")]
    ways += [Way(name="encode, torch CPU", product="cpu")]
    return ways + ([Way(name="encode, torch cuda tf32", product="cuda tf32")] if has_cuda() else [])


def has_cuda() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def run_way(way: Way, job: str, files: Sequence[Path]) -> dict[str, object]:
    """Run a child; returns what it found, with `error` where it failed."""
    asked = {
        "job": job, "backend": way.backend, "threads": str(way.threads), "product": way.product,
        "files": json.dumps([str(file.resolve()) for file in files]),
    }  # fmt: skip
    # As in the command line: threads that wait must sleep, or a busy machine crawls.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    environment = {**quiet, **os.environ, **way.environment, "PYTHONPATH": str(ROOT)}
    if way.threads:
        environment["OPENBLAS_NUM_THREADS"] = environment["OMP_NUM_THREADS"] = str(way.threads)
    done = subprocess.run(
        [way.python, __file__, "--child", json.dumps(asked)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == ILLEGAL:
        return {"skipped": "this processor lacks its instructions"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]}
    # torchac builds its extension and says so
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    wanted = way.environment.get("OPENBLAS_CORETYPE", "")
    if wanted and str(found["kernel"]).lower() != wanted.lower():
        found["skipped"] = f"OpenBLAS chose {found['kernel']}"
    return found


def compare(ways: Sequence[Way], job: str, files: Sequence[Path]) -> list[dict[str, object]]:
    """Run all ways and print a row each."""
    rows: list[dict[str, object]] = []
    for way in ways:
        found = run_way(way, job, files)
        wanted = rows[0]["hashes"] if rows else found.get("hashes")
        verdict = "ok" if found.get("hashes") == wanted and wanted else "differs"
        verdict = "skipped" if "skipped" in found else verdict
        rows.append({"way": way.name, "verdict": verdict, **found})
        note = found.get("error") or found.get("skipped") or ""
        print(
            f"| {way.name} | {found.get('python', '')} | {found.get('numpy', '')} "
            f"| {found.get('kernel', '')} | {verdict} | {note} |",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--run", type=Path, action="append", default=[], help="also encode it")
    parser.add_argument("--python", action="append", default=[], help="another interpreter")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child)))
        return
    from machine import write_result

    print("| way | Python | numpy | kernel | verdict | |\n|---|---|---|---|---|---|")
    rows = compare(decoding_ways(options.python), "decode", options.files)
    if options.run:
        rows += compare(encoding_ways(), "encode", options.run)
    print(write_result("determinism", {"files": [f.name for f in options.files], "ways": rows}))
    raise SystemExit(any(row["verdict"] == "differs" for row in rows))


if __name__ == "__main__":
    main()
