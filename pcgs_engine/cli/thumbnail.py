"""A small JPEG of a decoded scene, for file browsers: the last level seen from a camera."""

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .level_quality import LevelJudge

__all__ = ["draw_thumbnail"]

LONGEST_SIDE = 128
"""Pixels, as Blender's file browser shows them: about 3 kB."""
QUALITY = 75


def draw_thumbnail(judge: "LevelJudge") -> bytes:
    """Return a JPEG of the last decoded level from the first held-out or training camera."""
    from PIL import Image  # late: train extra

    scene = judge.scene
    view = (scene.test_views or scene.train_views)[0]
    image = judge.renderer(judge.opened.level).render(view.camera).cpu().numpy()
    picture = Image.fromarray(np.rint(image * 255.0).astype(np.uint8))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return stream.getvalue()
