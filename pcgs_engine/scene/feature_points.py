"""Views with known poses -> sparse points, by SIFT matches between neighbours.

The work is limited: see the constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .camera import Camera
from .image_store import ImageStore
from .point_file import SparsePoints
from .scene import View

__all__ = ["triangulate_features", "triangulate_pair"]

MAX_VIEWS = 60
"""Views used, evenly spaced over the list."""
MAX_SIDE = 640
"""Images are shrunk to this longer side."""
MAX_FEATURES = 2000
"""Strongest features per image."""
NEIGHBOURS = 4
"""Views each view is matched with."""
MIN_AXIS_COSINE = 0.5
"""Neighbours look in directions less than 60 degrees apart."""
RATIO = 0.8
"""Best over second-best descriptor distance. Source: Lowe 2004, section 7.1."""
MAX_REPROJECTION = 2.0
"""Pixels, in both images."""
MIN_ANGLE_COSINE = float(np.cos(np.radians(1.0)))
"""Rays that meet at less than one degree say nothing about depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Features:
    """Features of one view."""

    camera: Camera
    xy: npt.NDArray[np.float64]
    """Pixels `[n, 2]`, first pixel centre at 0.5."""
    descriptors: npt.NDArray[np.float32]
    """RootSIFT, unit length, `[n, 128]`."""
    colors: npt.NDArray[np.uint8]
    """`[n, 3]`."""


def triangulate_features(views: Sequence[View], store: ImageStore) -> SparsePoints:
    """Return points seen by two neighbouring views each; may be few or none.

    Raises:
        SceneError: an image cannot be read.
    """
    step = max(1, -(-len(views) // MAX_VIEWS))
    features = [_detect(view, store) for view in views[::step]]
    positions = [np.zeros((0, 3))]
    colors = [np.zeros((0, 3), dtype=np.uint8)]
    used = [np.zeros(len(entry.xy), dtype=np.bool_) for entry in features]
    for i, j in _neighbour_pairs([entry.camera for entry in features]):
        a, b = _match(features[i], features[j])
        points, good = triangulate_pair(
            features[i].camera, features[j].camera, features[i].xy[a], features[j].xy[b]
        )
        good &= ~used[i][a] & ~used[j][b]
        used[i][a[good]] = True
        used[j][b[good]] = True
        positions.append(points[good])
        colors.append(features[i].colors[a[good]])
    return SparsePoints(
        positions=np.concatenate(positions).astype(np.float32), colors=np.concatenate(colors)
    )


def triangulate_pair(
    first: Camera,
    second: Camera,
    xy_first: npt.NDArray[np.float64],  # [n, 2]
    xy_second: npt.NDArray[np.float64],  # [n, 2]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return points `[n, 3]` of pixel pairs, and which of them `[n]` fit both views."""
    if len(xy_first) == 0:
        return np.zeros((0, 3)), np.zeros(0, dtype=np.bool_)
    left, right = (c.intrinsics @ c.world_to_camera[:3] for c in (first, second))
    homogeneous = np.asarray(cv2.triangulatePoints(left, right, xy_first.T, xy_second.T))
    with np.errstate(divide="ignore", invalid="ignore"):
        points = (homogeneous[:3] / homogeneous[3]).T
        good = np.isfinite(points).all(axis=1)
        for camera, xy in ((first, xy_first), (second, xy_second)):
            good &= _reprojection_error(camera, points, xy) < MAX_REPROJECTION
        rays = [points - camera.centre for camera in (first, second)]
        lengths = np.linalg.norm(rays[0], axis=1) * np.linalg.norm(rays[1], axis=1)
        good &= (rays[0] * rays[1]).sum(axis=1) / lengths < MIN_ANGLE_COSINE
    return points, good


def _reprojection_error(
    camera: Camera,
    points: npt.NDArray[np.float64],  # [n, 3]
    xy: npt.NDArray[np.float64],  # [n, 2]
) -> npt.NDArray[np.float64]:
    """Return distances in pixels `[n]`; infinite behind the camera."""
    local = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    pixels = local[:, :2] / local[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    error = np.linalg.norm(pixels - xy, axis=1)
    return np.asarray(np.where(local[:, 2] > 0, error, np.inf))


def _detect(view: View, store: ImageStore) -> _Features:
    """Return the features of one view inside its valid, opaque pixels."""
    image = store.load(view)
    height, width = image.rgb.shape[:2]
    ratio = min(1.0, MAX_SIDE / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    rgb = cv2.resize(image.rgb, size, interpolation=cv2.INTER_AREA)
    usable = np.ones((height, width), dtype=np.uint8)
    if image.valid is not None:
        usable &= image.valid.astype(np.uint8)
    if image.alpha is not None:
        usable &= (image.alpha > 0).astype(np.uint8)
    usable = cv2.resize(usable, size, interpolation=cv2.INTER_NEAREST)
    detector = cv2.SIFT.create(nfeatures=MAX_FEATURES)
    keypoints, found = detector.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), usable)
    corners = np.array([keypoint.pt for keypoint in keypoints]).reshape(-1, 2)
    descriptors = np.zeros((0, 128), dtype=np.float32) if found is None else np.asarray(found)
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    columns, rows = np.clip(np.rint(corners).astype(np.int64), 0, np.array(size) - 1).T
    return _Features(
        camera=view.camera.resized(*size),
        xy=corners + 0.5,
        descriptors=np.sqrt(descriptors / sums),
        colors=np.asarray(rgb[rows, columns]),
    )


def _match(
    first: _Features, second: _Features
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return indices of mutual nearest descriptors that pass the ratio test."""
    none = np.zeros(0, dtype=np.int64)
    if len(first.xy) < 2 or len(second.xy) < 2:
        return none, none
    similarity = first.descriptors @ second.descriptors.T
    best = similarity.argmax(axis=1)
    rows = np.arange(len(best))
    mutual = similarity.argmax(axis=0)[best] == rows
    nearest = 2 - 2 * similarity[rows, best]
    similarity[rows, best] = -1
    next_nearest = 2 - 2 * similarity.max(axis=1)
    chosen = rows[mutual & (nearest < RATIO**2 * next_nearest)]
    return chosen, best[chosen]


def _neighbour_pairs(cameras: Sequence[Camera]) -> list[tuple[int, int]]:
    """Return pairs of cameras that are close and look in similar directions."""
    centres = np.stack([camera.centre for camera in cameras])
    axes = np.stack([camera.world_to_camera[2, :3] for camera in cameras])
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    apart = distance > 1e-6 * max(float(distance.max()), 1e-12)
    usable = apart & (axes @ axes.T > MIN_AXIS_COSINE)
    cost = np.where(usable, distance, np.inf)
    pairs: set[tuple[int, int]] = set()
    for i, order in enumerate(np.argsort(cost, axis=1, kind="stable")[:, :NEIGHBOURS]):
        pairs.update((min(i, int(j)), max(i, int(j))) for j in order if np.isfinite(cost[i, j]))
    return sorted(pairs)
