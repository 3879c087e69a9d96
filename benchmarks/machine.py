"""Describes the machine a benchmark ran on and writes its JSON."""

import datetime
import json
import os
import platform
from pathlib import Path

__all__ = ["RESULTS", "machine_description", "write_result"]

RESULTS = Path(__file__).resolve().parent / "results"


def machine_description() -> dict[str, object]:
    """Return processor, core count, system and versions, as far as the system tells."""
    processor = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [s for s in cpuinfo.read_text().splitlines() if s.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    try:
        import torch  # delayed: some benchmarks measure the torch-free half

        torch_version = torch.__version__
    except ImportError:
        torch_version = "absent"
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch_version,
    }


def write_result(name: str, body: dict[str, object]) -> Path:
    """Write `results/<name>.json` with the machine's description in front."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine_description(), **body}, indent=1) + "\n")
    return path
