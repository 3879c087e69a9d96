"""`config.json` of a run folder: the settings and the image set a run was started with."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..atomic_file import write_atomically
from ..config import RunConfig, config_from_dict, config_to_dict
from ..errors import CheckpointError, ConfigError

__all__ = ["CONFIG_NAME", "RunInfo", "load_run_info", "save_run_info"]

CONFIG_NAME = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What must be known of a run before its checkpoint is opened."""

    scene: str
    """Absolute path of the image set."""
    background: tuple[float, ...]
    """RGB in 0..1 behind images with alpha."""
    config: RunConfig


def save_run_info(run: Path, info: RunInfo) -> None:
    """Write `config.json`.

    Raises:
        OutputError: the folder does not take the file.
    """
    text = json.dumps(config_to_dict(info), indent=2)
    write_atomically(run / CONFIG_NAME, text.encode())


def load_run_info(run: Path) -> RunInfo:
    """Read `config.json`.

    Raises:
        CheckpointError: it is missing or not of this version.
    """
    path = run / CONFIG_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ConfigError("found no JSON object")
        return config_from_dict(RunInfo, data)
    except FileNotFoundError:
        raise CheckpointError(
            f"{run}: no {CONFIG_NAME}; wanted the folder given to 'pcgs train --out'"
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CheckpointError(f"{path}: cannot be read ({reason}); check its permissions") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a run of this version ({error}); train again") from None
