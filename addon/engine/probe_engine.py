"""Run by the engine's Python through run_engine.py: prints what is installed as one JSON line.

Modules are imported by name, so that a missing one is an answer and not an error.
"""

import importlib
import json
import platform
import sys

NEEDED = ("numpy", "torch", "numba", "scipy", "safetensors", "PIL", "cv2", "plyfile")


def main() -> None:
    """Import everything the engine needs and print the findings."""
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in (*NEEDED, "pcgs_engine"):
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything
            missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            found[name] = str(getattr(module, "__version__", ""))
    answer = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "found": found,
        "missing": missing,
        "device": "" if missing else _device(),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


def _device() -> str:
    """Return the GPU's name, or why there is none."""
    backend = importlib.import_module("pcgs_engine.render.cuda_backend")
    reason = backend.missing_cuda_reason()
    if reason is not None:
        return f"CPU ({reason})"
    torch = importlib.import_module("torch")
    return str(torch.cuda.get_device_name(0))


if __name__ == "__main__":
    main()
