"""JSON chunks: a dictionary to bytes and back, with a size cap. FORMAT.md §4.1."""

import json
import math

from ..errors import ConfigError, MalformedError
from .checks import check_limit
from .limits import DecodeLimits

__all__ = ["pack_json", "unpack_json"]


def pack_json(values: dict[str, object], limits: DecodeLimits) -> bytes:
    """Return compact UTF-8 JSON with sorted keys.

    Raises:
        ConfigError: a value is not JSON (NaN and infinity are not), or all are too long.
    """
    try:
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"metadata cannot be stored: {error}") from error
    data = text.encode("utf-8")
    if len(data) > limits.metadata_bytes:
        raise ConfigError(f"metadata has {len(data)} bytes, wanted <= {limits.metadata_bytes}")
    return data


def unpack_json(place: str, data: bytes, limits: DecodeLimits) -> dict[str, object]:
    """Parse a JSON object.

    Raises:
        LimitExceededError: it is too long.
        MalformedError: it is not a JSON object.
    """
    check_limit(f"{place}: size", len(data), limits.metadata_bytes)
    try:
        values = json.loads(data.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{place} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise MalformedError(f"{place} is a JSON {type(values).__name__}, wanted an object")
    return values


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond what a number holds")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
