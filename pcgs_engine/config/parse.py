"""Frozen dataclass configs to and from plain dicts: unknown keys and wrong types are errors."""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from typing import TypeVar

from ..errors import ConfigError

__all__ = ["check_range", "config_from_dict", "config_to_dict"]

C = TypeVar("C")


def check_range(
    owner: object, name: str, low: float, high: float, *, open_low: bool = False
) -> None:
    """Raise ConfigError unless `low <= owner.name <= high` (`low <` with `open_low`)."""
    value = getattr(owner, name)
    too_low = value <= low if open_low else value < low
    if too_low or value > high or value != value:
        bracket = "(" if open_low else "["
        place = f"{type(owner).__name__}.{name}"
        raise ConfigError(f"{place} is {value}, wanted a value in {bracket}{low}, {high}]")


def config_from_dict(cls: type[C], data: Mapping[str, object], *, place: str = "") -> C:
    """Build the config dataclass `cls` from parsed JSON or TOML.

    Args:
        cls: a dataclass with `kw_only=True` fields of bool, int, float, str, Enum, tuple or
            nested config type.
        data: plain mapping; missing keys keep their defaults.
        place: prefix for messages, for example the file name.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range.
    """
    hints = typing.get_type_hints(cls)
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - known)
    if unknown:
        raise ConfigError(f"{place}unknown key {unknown[0]!r}, wanted one of {sorted(known)}")
    values = {k: _convert(hints[k], v, f"{place}{k}") for k, v in data.items()}
    return cls(**values)


def config_to_dict(config: object) -> dict[str, object]:
    """Return nested plain dicts, lists and numbers that `config_from_dict` reads back."""
    plain = _plain(config)
    if not isinstance(plain, dict):
        raise ConfigError(f"{type(config).__name__} is not a config dataclass")
    return plain


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _convert(hint: object, value: object, place: str) -> object:
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return _convert_optional(hint, value, place)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{place} is {value!r}, wanted a list")
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, entry, f"{place}[{i}]") for i, entry in enumerate(value))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{place} is {value!r}, wanted a table")
        return config_from_dict(hint, value, place=f"{place}.")
    return _convert_scalar(hint, value, place)


def _convert_optional(hint: object, value: object, place: str) -> object:
    if value is None:
        return None
    inner = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return _convert(inner, value, place)


def _convert_scalar(hint: object, value: object, place: str) -> object:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        choices = [member.value for member in hint]
        if value not in choices:
            raise ConfigError(f"{place} is {value!r}, wanted one of {choices}")
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(hint, type) or type(value) is not hint:
        name = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"{place} is {value!r}, wanted {name}")
    return value
