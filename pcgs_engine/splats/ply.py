"""Splat files in the PLY layout of 3DGS: `SplatCloud` to file and back.

One `vertex` element of float32: x y z, nx ny nz (zero), f_dc_0..2, f_rest_* (channel by channel:
all of red, then green, then blue), opacity (logit), scale_0..2 (natural logarithm), rot_0..3
(w x y z). Read by property name, so any order and extra properties are fine.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from plyfile import PlyData, PlyElement, PlyParseError

from ..atomic_file import write_atomically
from ..errors import SplatFileError
from .spherical_harmonics import SH_DEGREE_MAX, num_coefficients
from .splat_cloud import SplatCloud

__all__ = ["read_ply", "write_ply"]

FloatArray = npt.NDArray[np.float32]

_LOGIT_LIMIT = 16.0
"""sigmoid(16) is 1 - 1.1e-7, next to the largest float32 below 1; files may hold ±inf."""
_LOG_SCALE_LIMIT = 80.0
"""exp(±80) is just inside float32."""
_HEADER_LIMIT = 1 << 16
"""Bytes in which a PLY header must end."""
_POSITION = ("x", "y", "z")
_DC = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALE = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")


def write_ply(path: Path, cloud: SplatCloud) -> None:
    """Write `cloud` to `path`; an existing file is replaced only once the new one is complete.

    Raises:
        OutputError: the folder is not writable or the disk is full.
    """
    table = _table_of(cloud)
    data = PlyData([PlyElement.describe(table, "vertex")], byte_order="<")
    write_atomically(path, data.write)


def read_ply(path: Path) -> SplatCloud:
    """Read a 3DGS PLY of SH degree 0..3, binary or text.

    Infinite opacities are clamped, quaternions normalized (zero means identity), zero scales raised
    to the smallest representable one.

    Raises:
        SplatFileError: not a PLY, truncated, a property missing, not numeric or not finite.
    """
    vertex = _read_vertex(path)
    names = {prop.name for prop in vertex.properties}
    if "packed_position" in names:
        raise SplatFileError(
            f"{path}: property packed_position found, wanted x y z: this is a compressed PLY, "
            f"convert it to a standard 3DGS PLY first"
        )
    rest = _rest_names(path, names)
    with np.errstate(over="ignore"):
        means = _columns(path, vertex, _POSITION)
        dc = _columns(path, vertex, _DC)
        f_rest = _columns(path, vertex, rest)
        logits = _columns(path, vertex, ("opacity",), infinite=True)[:, 0]
        logs = _columns(path, vertex, _SCALE, infinite=True)
        quats = _columns(path, vertex, _ROTATION)
    if len(logs) and logs.max() > _LOG_SCALE_LIMIT:
        name = _SCALE[int(logs.max(axis=0).argmax())]
        raise SplatFileError(
            f"{path}: property {name} is {logs.max():.6g}, wanted a natural logarithm of at most "
            f"{_LOG_SCALE_LIMIT:g}, the file is damaged"
        )
    higher = f_rest.reshape(len(f_rest), 3, len(rest) // 3).transpose(0, 2, 1)
    return SplatCloud(
        means=means,
        scales=np.exp(np.maximum(logs, -_LOG_SCALE_LIMIT)),
        quats=_unit(quats),
        opacities=_opacities(logits),
        sh=np.ascontiguousarray(np.concatenate([dc[:, None], higher], axis=1)),
    )


def _table_of(cloud: SplatCloud) -> npt.NDArray[np.void]:
    """Return the cloud as one structured array, ready for a file."""
    rest = [f"f_rest_{i}" for i in range(3 * (cloud.sh.shape[1] - 1))]
    names = [*_POSITION, "nx", "ny", "nz", *_DC, *rest, "opacity", *_SCALE, *_ROTATION]
    table = np.zeros((len(cloud), len(names)), dtype="<f4")
    table[:, 0:3] = cloud.means
    table[:, 6:9] = cloud.sh[:, 0]
    end = 9 + len(rest)
    table[:, 9:end] = cloud.sh[:, 1:].transpose(0, 2, 1).reshape(len(cloud), len(rest))
    opacities = cloud.opacities.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(opacities) - np.log1p(-opacities)
        logs = np.log(cloud.scales)
    table[:, end] = np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)
    table[:, end + 1 : end + 4] = np.maximum(logs, -_LOG_SCALE_LIMIT)
    table[:, end + 4 :] = cloud.quats
    return table.view([(name, "<f4") for name in names])[:, 0]


def _read_vertex(path: Path) -> PlyElement:
    """Return the `vertex` element, having checked that the header cannot ask for absurd memory."""
    try:
        _check_header(path)
        data = PlyData.read(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SplatFileError(f"{path}: cannot be read ({reason}), check the path") from error
    except (PlyParseError, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SplatFileError(
            f"{path}: not a complete PLY file ({reason}), fetch or export it again"
        ) from error
    for element in data.elements:
        if element.name == "vertex":
            return element
    found = ", ".join(element.name for element in data.elements) or "none"
    raise SplatFileError(f"{path}: elements found: {found}, wanted vertex, choose a splat PLY")


def _check_header(path: Path) -> None:
    """Refuse a header that asks for lists, or for more values than the file has bytes.

    Every value takes at least one byte, so the arrays made of a file that passes are at most
    eight times its size. A list's length stands in the data and cannot be checked beforehand.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEADER_LIMIT)
    end = head.find(b"end_header")
    if not head.startswith(b"ply") or end < 0:
        raise ValueError("no PLY header")
    values = 0
    count = 0
    for line in head[:end].splitlines():
        words = line.split()
        if words[:1] == [b"element"]:
            count = int(words[2])
            if not 0 <= count <= size:
                raise ValueError(f"{count} elements declared in {size} bytes")
        elif words[:1] == [b"property"]:
            values += count
            if b"list" in words[1:2]:
                name = words[-1].decode("ascii", "replace")
                raise SplatFileError(
                    f"{path}: property {name} is a list as in a mesh, wanted numbers only, "
                    f"choose a splat PLY"
                )
    if values > size:
        raise ValueError(f"{values} values declared in {size} bytes")


def _rest_names(path: Path, names: set[str]) -> tuple[str, ...]:
    """Return the f_rest_* names present, in numeric order; their number must fit a degree."""
    count = sum(name.startswith("f_rest_") for name in names)
    wanted = [3 * (num_coefficients(degree) - 1) for degree in range(SH_DEGREE_MAX + 1)]
    if count not in wanted:
        raise SplatFileError(
            f"{path}: {count} properties f_rest_*, wanted one of {wanted}, export the file again"
        )
    return tuple(f"f_rest_{index}" for index in range(count))


def _columns(
    path: Path, vertex: PlyElement, names: tuple[str, ...], *, infinite: bool = False
) -> FloatArray:
    """Return the named properties as `[M, len(names)] float32`."""
    result = np.empty((vertex.count, len(names)), dtype=np.float32)
    known = {prop.name for prop in vertex.properties}
    for index, name in enumerate(names):
        if name not in known:
            raise SplatFileError(
                f"{path}: property {name} is missing, wanted the 3DGS layout, choose a splat PLY"
            )
        result[:, index] = vertex[name]
        column = result[:, index]
        bad = np.isnan(column) if infinite else ~np.isfinite(column)
        if bad.any():
            row = int(bad.argmax())
            raise SplatFileError(
                f"{path}: property {name} of splat {row} is {column[row]}, wanted a finite number, "
                f"export the file again"
            )
    return result


def _unit(quats: FloatArray) -> FloatArray:
    norm = np.linalg.norm(quats.astype(np.float64), axis=1, keepdims=True)
    identity = np.array([1.0, 0.0, 0.0, 0.0])
    unit = np.where(norm > 1e-12, quats / np.maximum(norm, 1e-12), identity)
    return np.asarray(unit, dtype=np.float32)


def _opacities(logits: FloatArray) -> FloatArray:
    clamped = np.clip(logits.astype(np.float64), -_LOGIT_LIMIT, _LOGIT_LIMIT)
    return np.asarray(1.0 / (1.0 + np.exp(-clamped)), dtype=np.float32)
