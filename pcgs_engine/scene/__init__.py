"""Posed image sets: folder in, cameras, sparse points and images out.

Only the numpy data types are re-exported, so that decoding never needs pillow or OpenCV;
`load_scene` and `ImageStore` (extra `train`) come from the modules of those names.
"""

from .camera import Camera
from .scene import Distortion, Scene, View
from .view_image import ViewImage

__all__ = ["Camera", "Distortion", "Scene", "View", "ViewImage"]
