"""Run by the engine's Python through run_engine.py: reads an image folder for the panel.

    SCENE OUT.npz MAX_SIZE      prints one JSON line, writes cameras and points to OUT.npz

It runs there and not in Blender because image headers are read with Pillow.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np


def main(scene_path: str, out: str, max_size: str) -> None:
    """Load the scene; write the arrays, print the rest."""
    load_scene = importlib.import_module("pcgs_engine.scene.load_scene").load_scene
    scene_error = importlib.import_module("pcgs_engine.errors").PcgsError
    try:
        scene = load_scene(Path(scene_path), max_size=int(max_size))
    except scene_error as error:
        sys.stdout.write(json.dumps({"error": " ".join(str(error).split())}) + "\n")
        return
    views = (*scene.train_views, *scene.test_views)
    cameras = [view.camera for view in views]
    np.savez(
        out,
        points=scene.points,
        point_colors=scene.point_colors,
        world_to_camera=np.stack([camera.world_to_camera for camera in cameras]),
        pinhole=np.array([(c.width, c.height, c.fx, c.fy, c.cx, c.cy) for c in cameras]),
    )
    answer = {
        "kind": scene.kind,
        "train_views": len(scene.train_views),
        "test_views": len(scene.test_views),
        "points": len(scene.points),
        "width": cameras[0].width,
        "height": cameras[0].height,
        "extent": scene.extent,
        "warnings": list(scene.warnings),
        "images": [str(view.image_path) for view in views],
        "names": [view.name for view in views],
        "distorted": sum(view.distortion is not None for view in views),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
