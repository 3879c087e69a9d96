"""Identifiers of the render engines, as stored in files."""

from typing import Final

__all__ = ["CPU_ENGINE", "ENGINE_IDS", "GPU_ENGINE", "engine_id"]

GPU_ENGINE: Final = "PCGS_SPLATS"
CPU_ENGINE: Final = "PCGS_SPLATS_CPU"
ENGINE_IDS: Final = (GPU_ENGINE, CPU_ENGINE)


def engine_id(*, gpu: bool) -> str:
    """Return the engine that draws by GPU or CPU."""
    return GPU_ENGINE if gpu else CPU_ENGINE
