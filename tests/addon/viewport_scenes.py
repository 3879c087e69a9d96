"""What the viewport tests draw and hold it against: clouds, views, two other rasterizers."""

import json
import math
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sample_files import TRAINED

from pcgs_engine.codec import ProgressiveDecoder
from pcgs_engine.sample.location import sample_path
from pcgs_engine.splats import SplatCloud, to_splats

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINE_SCRIPT = Path(__file__).with_name("engine_picture.py")
NEAR, FAR = 0.01, 1000.0
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
"""Blender's camera axes to the engine's (y down, z forward) and back."""


@dataclass(frozen=True, kw_only=True)
class Lens:
    """A pinhole in pixels, y down, as the engine has it."""

    width: int = 160
    height: int = 120
    focal: float = 180.0
    cx: float = 80.0
    cy: float = 60.0

    @property
    def projection(self):
        """The same as a projection matrix of Blender's."""
        return np.array(
            [
                [2 * self.focal / self.width, 0.0, 1.0 - 2 * self.cx / self.width, 0.0],
                [0.0, 2 * self.focal / self.height, 2 * self.cy / self.height - 1.0, 0.0],
                [0.0, 0.0, -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
                [0.0, 0.0, -1.0, 0.0],
            ]
        )


def ortho_projection(width, height, units_wide, near=-50.0, far=50.0):
    high = units_wide * height / width
    return np.array(
        [
            [2 / units_wide, 0.0, 0.0, 0.0],
            [0.0, 2 / high, 0.0, 0.0],
            [0.0, 0.0, -2 / (far - near), -(far + near) / (far - near)],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def looking(eye, at=(0.0, 0.0, 0.0)):
    """World to camera, Blender's axes."""
    eye, at = np.asarray(eye, float), np.asarray(at, float)
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = right, np.cross(right, forward), -forward
    view[:3, 3] = -view[:3, :3] @ eye
    return view


def placed(*, degrees=0.0, scale=1.0, shift=(0.0, 0.0, 0.0)):
    """An object's matrix: scale, then a turn about a slanted axis, then a shift."""
    axis = np.array([0.3, -0.5, 0.8]) / math.sqrt(0.98)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(degrees)
    turn = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.asarray(scale)
    matrix[:3, 3] = shift
    return matrix


def cloud_of(count, degree=3, seed=0, size=0.05):
    """A noisy sphere shell of colourful splats, very different axes."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(count, 3))
    means *= random.uniform(0.7, 1.0, (count, 1)) / np.linalg.norm(means, axis=1, keepdims=True)
    quats = random.normal(size=(count, 4))
    return SplatCloud(
        means=means.astype(np.float32),
        scales=(size * np.exp(random.normal(0.0, 0.7, (count, 3)))).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        opacities=random.uniform(0.1, 1.0, count).astype(np.float32),
        sh=random.normal(0.0, 0.4, (count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def single(mean, color, *, size=0.3, opacity=1.0):
    """One round splat."""
    return SplatCloud(
        means=np.array([mean], np.float32),
        scales=np.full((1, 3), size, np.float32),
        quats=np.array([[1, 0, 0, 0]], np.float32),
        opacities=np.array([opacity], np.float32),
        sh=((np.array([[color]]) - 0.5) / 0.28209479177387814).astype(np.float32),
    )


def trained_cloud(level=3):
    """The stored training's splats, and the lens and view of a training camera."""
    decoder = ProgressiveDecoder()
    decoder.feed(TRAINED.read_bytes())
    level = min(level, decoder.levels_ready)
    anchors = decoder.anchors(level)
    cloud = to_splats(anchors, decoder.head, decoder.config, decoder.camera_centres)
    scene = json.loads((sample_path() / "transforms.json").read_text())
    lens = Lens(
        width=scene["w"], height=scene["h"], focal=scene["fl_x"], cx=scene["cx"], cy=scene["cy"]
    )
    return cloud, lens, np.linalg.inv(np.array(scene["frames"][1]["transform_matrix"]))


def instance(cloud, matrix=None, key=("test", 1, 1), name="Splats"):
    from addon.objects import SplatInstance

    matrix = np.eye(4) if matrix is None else matrix
    return SplatInstance(cloud=cloud, key=key, matrix_world=matrix, object_name=name)


def moved(item, matrix):
    return replace(item, matrix_world=matrix)


def engine_picture(python, folder, cloud, lens, view):
    """RGB `[H, W, 3]`, alpha and depth by the engine's rasterizer, bottom row first.

    `view` is Blender's world to camera for an object at the origin.
    """
    given, made = folder / "given.npz", folder / "made.npz"
    np.savez(
        given, means=cloud.means, scales=cloud.scales, quats=cloud.quats, sh=cloud.sh,
        opacities=cloud.opacities, world_to_camera=FLIP @ view,
        lens=[lens.width, lens.height, lens.focal, lens.cx, lens.cy],
    )  # fmt: skip
    command = [python, str(ENGINE_SCRIPT), str(given), str(made)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(made) as file:
        return file["image"][::-1], file["alpha"][::-1], file["depth"][::-1]


def without_scale(view, matrix, scale):
    """World to camera as the unscaled cloud sees it: `view` times `matrix` over its scale."""
    seen = view @ matrix
    seen[:3] /= scale
    return seen


def psnr(image, target):
    error = float(np.mean((image.astype(np.float64) - target) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)


def plain_picture(instances, view, projection, width, height):
    """Premultiplied RGBA `[H, W, 4]`, bottom row first, pixel by pixel in float64.

    Written from the method's formulas and independent of the shaders: covariances are transformed
    whole, nothing is quantized, no bounding shapes.
    """
    from pcgs_engine.splats.spherical_harmonics import sh_basis

    ortho = abs(projection[3, 3] - 1) < 1e-9
    eye = -np.linalg.inv(view[:3, :3]) @ view[:3, 3]
    forward = np.linalg.inv(view[:3, :3]) @ np.array([0.0, 0.0, -1.0])
    f = 0.5 * np.array([width * projection[0, 0], height * projection[1, 1]])
    found = []
    for item in instances:
        linear, shift = item.matrix_world[:3, :3], item.matrix_world[:3, 3]
        for i in range(len(item.cloud)):
            mean = item.cloud.means[i].astype(np.float64)
            cam = view[:3, :3] @ (linear @ mean + shift) + view[:3, 3]
            depth = -cam[2]
            near = 0.0 if ortho else 0.2 * abs(np.linalg.det(linear)) ** (1 / 3)
            if not ortho and depth < near:
                continue
            shape = view[:3, :3] @ linear @ _axes(item.cloud, i)
            jacobian = _jacobian(cam, f, projection, ortho=ortho)
            spread = jacobian @ shape @ shape.T @ jacobian.T + 0.3 * np.eye(2)
            clip = projection @ np.append(cam, 1.0)
            centre = 0.5 * (clip[:2] / clip[3] + 1) * (width, height)
            seen = forward if ortho else linear @ mean + shift - eye
            direction = np.linalg.inv(linear) @ seen
            basis = sh_basis((direction / np.linalg.norm(direction))[None], item.cloud.sh_degree)
            color = np.maximum(0.5 + basis[0] @ item.cloud.sh[i], 0.0)
            found.append((depth, centre, spread, color, float(item.cloud.opacities[i])))
    found.sort(key=lambda splat: -splat[0])
    return _blended(found, width, height)


def _axes(cloud, i):
    w, x, y, z = cloud.quats[i].astype(np.float64)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return turn * cloud.scales[i]


def _jacobian(cam, f, projection, *, ortho):
    if ortho:
        return np.array([[f[0], 0.0, 0.0], [0.0, f[1], 0.0]])
    depth = -cam[2]
    tilt = []
    for axis in range(2):
        p, offset = projection[axis, axis], projection[axis, 2]
        low, high = (offset - 1.3) / p, (offset + 1.3) / p
        tilt.append(min(max(cam[axis] / depth, low), high))
    return np.array(
        [
            [f[0] / depth, 0.0, f[0] * tilt[0] / depth],
            [0.0, f[1] / depth, f[1] * tilt[1] / depth],
        ]
    )


def _blended(found, width, height):
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    picture = np.zeros((height, width, 4))
    for _, centre, spread, color, opacity in found:
        offset = np.stack([x - centre[0], y - centre[1]], -1)
        power = np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(spread), offset)
        alpha = np.minimum(opacity * np.exp(-0.5 * power), 0.999)
        alpha = np.where(alpha >= 1 / 255, alpha, 0.0)[..., None]
        picture = picture * (1 - alpha) + alpha * np.append(color, 1.0)
    return picture
