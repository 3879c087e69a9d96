"""Render the embedded sample image set, pcgs_engine/sample/: 48 views, cameras and points.

    python3.11 -m venv /tmp/vbpy
    /tmp/vbpy/bin/pip install --no-deps bpy==4.5.15 numpy==1.26.4 pillow
    nice -n 10 /tmp/vbpy/bin/python tools/render_sample.py --out pcgs_engine/sample

In: nothing; the scene is procedural (`sample_objects.py`). Out: `images/*.jpg`, `transforms.json`
(OpenGL axes, docs/conventions.md) and `points3d.ply`. About 5 minutes on one core. Everything is
seeded; two runs still differed in 0.2 % of the JPEGs' values, by at most 2 of 255. `--preview`
renders four views and nothing else.
"""

import argparse
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Vector
from PIL import Image
from sample_objects import TABLE_TOP, build_objects  # beside this script

__all__ = ["main"]

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 240, 180
VIEWS = 48
FIELD_OF_VIEW = math.radians(52.0)
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
RINGS = ((2.35, 1.05), (2.25, 1.55), (1.95, 2.15))
"""Radius and height of the three orbits, world units."""
POINTS = 4000
MIN_TRACK = 4
"""A point is kept where at least this many views see it, as in structure from motion."""
JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One rendered view."""

    name: str
    camera_to_world: FloatArray  # [4, 4], OpenGL axes
    pixels: ByteArray  # [H, W, 3]


def focal_length() -> float:
    """Return the focal length in pixels, the same on both axes."""
    return WIDTH / 2.0 / math.tan(FIELD_OF_VIEW / 2.0)


def camera_pose(index: int) -> FloatArray:
    """Return camera-to-world `[4, 4]` of view `index`: a golden-angle walk over three orbits.

    Every eighth view (the held-out ones) lands on another orbit and side.
    """
    radius, height = RINGS[index % len(RINGS)]
    angle = index * GOLDEN_ANGLE
    eye = np.array([radius * math.cos(angle), radius * math.sin(angle), height])
    aim = np.array([0.12 * math.cos(3 * angle), 0.12 * math.sin(5 * angle), TABLE_TOP + 0.12])
    backward = (eye - aim) / np.linalg.norm(eye - aim)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :] = np.stack([right, np.cross(backward, right), backward, eye], axis=1)
    return pose


def set_up_render(samples: int, threads: int) -> bpy.types.Object:
    """Configure Cycles on the CPU and return the scene's camera."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = True
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.seed = 0
    scene.cycles.max_bounces = 4
    scene.render.threads_mode = "FIXED"
    scene.render.threads = threads
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = 0.0
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.angle = FIELD_OF_VIEW
    data.clip_start = 0.01
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def render_shot(camera: bpy.types.Object, index: int, folder: Path) -> Shot:
    """Render view `index` through a temporary PNG in `folder`."""
    pose = camera_pose(index)
    camera.matrix_world = Matrix(pose.tolist())
    bpy.context.view_layer.update()
    path = folder / "shot.png"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    return Shot(name=f"images/{index:03d}.jpg", camera_to_world=pose, pixels=pixels)


def first_hit(origin: FloatArray, direction: FloatArray) -> FloatArray | None:
    """Return where a ray first meets a surface, `[3]`, or None."""
    graph = bpy.context.evaluated_depsgraph_get()
    hit, place, *_ = bpy.context.scene.ray_cast(graph, Vector(origin), Vector(direction))
    return np.array(place) if hit else None


def pixel_of(shot: Shot, point: FloatArray) -> tuple[int, int] | None:
    """Return row and column of the pixel in which `shot` would show `point`, or None."""
    rotation, eye = shot.camera_to_world[:3, :3], shot.camera_to_world[:3, 3]
    local = rotation.T @ (point - eye)
    if local[2] >= -0.05:
        return None
    column = WIDTH / 2.0 + focal_length() * local[0] / -local[2]
    row = HEIGHT / 2.0 - focal_length() * local[1] / -local[2]
    inside = 1.0 <= column < WIDTH - 1.0 and 1.0 <= row < HEIGHT - 1.0
    return (int(row), int(column)) if inside else None


def seen_colors(shots: list[Shot], point: FloatArray) -> ByteArray:
    """Return the colours `[T, 3]` of a surface point in all views that see it."""
    colors = []
    for shot in shots:
        pixel = pixel_of(shot, point)
        if pixel is None:
            continue
        eye = shot.camera_to_world[:3, 3]
        place = first_hit(eye, point - eye)
        if place is not None and np.linalg.norm(place - point) < 0.01:
            colors.append(shot.pixels[pixel])
    return np.array(colors, dtype=np.uint8).reshape(-1, 3)


def surface_points(shots: list[Shot]) -> tuple[FloatArray, ByteArray]:
    """Shoot rays through random pixels; return points `[P, 3]` and median colours `[P, 3]`."""
    random = np.random.default_rng(0)
    focal = focal_length()
    places: list[FloatArray] = []
    colors: list[FloatArray] = []
    while len(places) < POINTS:
        shot = shots[len(places) % len(shots)]
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        local = np.array([(x - WIDTH / 2) / focal, (HEIGHT / 2 - y) / focal, -1.0])
        place = first_hit(shot.camera_to_world[:3, 3], shot.camera_to_world[:3, :3] @ local)
        if place is None:
            continue
        seen = seen_colors(shots, place)
        if len(seen) >= MIN_TRACK:
            places.append(place)
            colors.append(np.median(seen, axis=0))
    return np.stack(places), np.round(np.stack(colors)).astype(np.uint8)


def write_points(path: Path, points: FloatArray, colors: ByteArray) -> None:
    """Write `points [P, 3]` and `colors [P, 3]` as a binary PLY."""
    names = (*((axis, "<f4") for axis in "xyz"), *((c, "u1") for c in ("red", "green", "blue")))
    table = np.empty(len(points), dtype=list(names))
    for index, axis in enumerate("xyz"):
        table[axis] = points[:, index]
    for index, channel in enumerate(("red", "green", "blue")):
        table[channel] = colors[:, index]
    lines = ["ply", "format binary_little_endian 1.0", "comment tools/render_sample.py, CC0"]
    lines += [f"element vertex {len(points)}", *(f"property float {axis}" for axis in "xyz")]
    lines += [*(f"property uchar {c}" for c in ("red", "green", "blue")), "end_header", ""]
    path.write_bytes("\n".join(lines).encode() + table.tobytes())


def write_transforms(path: Path, shots: list[Shot]) -> None:
    """Write intrinsics and poses in the dialect of instant-ngp and nerfstudio."""
    frames = [
        {"file_path": s.name, "transform_matrix": np.round(s.camera_to_world, 9).tolist()}
        for s in shots
    ]
    body = {
        "camera_model": "OPENCV",
        "camera_angle_x": FIELD_OF_VIEW,
        "fl_x": focal_length(),
        "fl_y": focal_length(),
        "cx": WIDTH / 2.0,
        "cy": HEIGHT / 2.0,
        "w": WIDTH,
        "h": HEIGHT,
        "ply_file_path": "points3d.ply",
        "frames": frames,
    }
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Build, render and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preview", action="store_true", help="a few views, no points")
    options = parser.parse_args()
    build_objects()
    camera = set_up_render(options.samples, options.threads)
    images = options.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        chosen = (0, 1, 2, 5) if options.preview else range(VIEWS)
        shots = [render_shot(camera, index, Path(folder)) for index in chosen]
    for shot in shots:
        picture = Image.fromarray(shot.pixels)
        picture.save(options.out / shot.name, quality=JPEG_QUALITY, subsampling=1, optimize=True)
    if options.preview:
        return
    points, colors = surface_points(shots)
    write_points(options.out / "points3d.ply", points, colors)
    write_transforms(options.out / "transforms.json", shots)


if __name__ == "__main__":
    main()
