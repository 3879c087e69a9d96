"""Tiny image sets for the tests of `pcgs_engine.scene`, written into a folder of the test."""

import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

MODEL_IDS = {
    "SIMPLE_PINHOLE": 0,
    "PINHOLE": 1,
    "SIMPLE_RADIAL": 2,
    "RADIAL": 3,
    "OPENCV": 4,
    "OPENCV_FISHEYE": 5,
    "FULL_OPENCV": 6,
}
POINTS = np.array([[0.5, -1.0, 2.0], [1.0, 2.0, 3.0], [0.0, 0.25, -4.0]])
COLORS = np.array([[1, 2, 3], [250, 128, 0], [9, 8, 7]], dtype=np.uint8)


def write_image(path: Path, size=(32, 24), *, color=(10, 200, 30), mode="RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)
    return path


def quaternion(index: int) -> np.ndarray:
    """Unit quaternion w x y z of the index-th camera: a turn about y by 0.1 index."""
    return np.array([np.cos(0.05 * index), 0.0, np.sin(0.05 * index), 0.0])


def cameras_bin(model="PINHOLE", size=(32, 24), params=(30.0, 31.0, 16.0, 12.0)) -> bytes:
    head = struct.pack("<QiiQQ", 1, 7, MODEL_IDS.get(model, 99), *size)
    return head + struct.pack(f"<{len(params)}d", *params)


def images_bin(names, *, camera_id=7, observations=2, turns=quaternion) -> bytes:
    body = struct.pack("<Q", len(names))
    for index, name in enumerate(names):
        body += struct.pack("<i7di", index + 1, *turns(index), 0.1 * index, 0.2, 0.3, camera_id)
        body += name.encode() + b"\0" + struct.pack("<Q", observations)
        body += b"".join(struct.pack("<ddq", 1.0, 2.0, -1) for _ in range(observations))
    return body


def points_bin(points=POINTS, colors=COLORS) -> bytes:
    body = struct.pack("<Q", len(points))
    for index, (xyz, rgb) in enumerate(zip(points, colors, strict=True)):
        body += struct.pack("<Q3d3Bd", index, *xyz, *(int(c) for c in rgb), 0.5)
        body += struct.pack("<Q", index) + struct.pack("<ii", 1, 2) * index
    return body


def write_colmap(folder: Path, count=9, *, model="sparse/0", size=(32, 24)) -> Path:
    """Write a binary COLMAP set and return the folder of the model."""
    names = [f"img_{index}.png" for index in range(count)]
    for name in names:
        write_image(folder / "images" / name, size)
    target = folder / model
    target.mkdir(parents=True, exist_ok=True)
    (target / "cameras.bin").write_bytes(cameras_bin())
    (target / "images.bin").write_bytes(images_bin(names))
    (target / "points3D.bin").write_bytes(points_bin())
    return target


def write_colmap_text(folder: Path, count=3) -> Path:
    """Write the same set as text, with blank observation lines, and return the model's folder."""
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("# a comment\n7 PINHOLE 32 24 30 31 16 12\n")
    lines = ["# IMAGE_ID ..."]
    for index in range(count):
        write_image(folder / "images" / f"img_{index}.png")
        turn = " ".join(f"{value:.17g}" for value in quaternion(index))
        lines.append(f"{index + 1} {turn} {0.1 * index:.17g} 0.2 0.3 7 img_{index}.png")
        lines.append("" if index % 2 else "1.0 2.0 -1 3.0 4.0 5")
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    rows = [
        f"{i} {' '.join(map(str, POINTS[i]))} {' '.join(map(str, COLORS[i]))} 0.5 1 2 3 4"
        for i in range(3)
    ]
    (model / "points3D.txt").write_text("\n".join(rows) + "\n")
    return model


def look_at_origin(angle: float, radius=4.0, height=1.0) -> np.ndarray:
    """Camera-to-world matrix with OpenGL axes of a camera that looks at the origin."""
    centre = np.array([radius * np.cos(angle), radius * np.sin(angle), height])
    back = centre / np.linalg.norm(centre)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = right, np.cross(back, right), back
    matrix[:3, 3] = centre
    return matrix


def frame(file_path: str, angle=0.0, **extra) -> dict:
    return {
        "file_path": file_path,
        "transform_matrix": look_at_origin(angle).tolist(),
        **extra,
    }


def write_json(path: Path, frames, **shared) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**shared, "frames": frames}))
    return path


def write_ply(path: Path) -> Path:
    rows = [f"{' '.join(map(str, POINTS[i]))} {' '.join(map(str, COLORS[i]))}" for i in range(3)]
    names = [f"property float {axis}" for axis in "xyz"]
    names += [f"property uchar {color}" for color in ("red", "green", "blue")]
    head = ["ply", "format ascii 1.0", "element vertex 3", *names, "end_header"]
    path.write_text("\n".join([*head, *rows]) + "\n")
    return path


def write_transforms(folder: Path, count=9, *, points=True, **shared) -> Path:
    """Write an instant-ngp style set and return the path of its transforms file."""
    frames = []
    for index in range(count):
        write_image(folder / "images" / f"{index:02}.png")
        frames.append(frame(f"images/{index:02}.png", 0.3 * index))
    if points:
        write_ply(folder / "points3d.ply")
    intrinsics = {"fl_x": 30.0, "fl_y": 31.0, "cx": 16.5, "cy": 12.5, "w": 32, "h": 24.0}
    return write_json(folder / "transforms.json", frames, **{**intrinsics, **shared})
