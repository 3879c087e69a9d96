"""The scene a `.pcgs` file was made from, prepared as it was for training."""

import argparse
from collections.abc import Mapping

from ..protocol import Warned
from ..scene import Scene
from ..scene.load_scene import load_scene
from .console import Console
from .train import announce_scene

__all__ = ["load_scene_of_file"]

DEFAULT_MAX_SIZE = 1600


def load_scene_of_file(
    args: argparse.Namespace, metadata: Mapping[str, object], console: Console
) -> Scene:
    """Load `--scene`; size and background come from the options, else from the file's metadata.

    Raises:
        SceneError: the folder is not a usable scene.
    """
    background = args.background or _stored_color(metadata) or (0.0, 0.0, 0.0)
    max_size = args.max_size or _stored_max_size(metadata)
    if max_size is None:
        max_size = DEFAULT_MAX_SIZE
        text = f"the file does not tell its training size; views are {max_size} pixels at most"
        console.message(Warned(text=text))
    scene = load_scene(args.scene, max_size=max_size, background=background)
    announce_scene(scene, console)
    return scene


def _stored_max_size(metadata: Mapping[str, object]) -> int | None:
    training = metadata.get("training")
    size = training.get("max_size") if isinstance(training, Mapping) else None
    # Metadata is input like any other: a wrong value counts as none.
    return size if type(size) is int and 16 <= size <= 16384 else None


def _stored_color(metadata: Mapping[str, object]) -> tuple[float, float, float] | None:
    stored = metadata.get("background")
    if not isinstance(stored, list) or len(stored) != 3:
        return None
    numbers = [part for part in stored if isinstance(part, (int, float)) and 0 <= part <= 1]
    return (float(stored[0]), float(stored[1]), float(stored[2])) if len(numbers) == 3 else None
