"""Lines of the engine's standard output in, protocol messages out."""

import dataclasses
import json

from pcgs_engine import protocol
from pcgs_engine.protocol import Message

__all__ = ["parse_message"]

_CLASSES = {
    cls.kind: cls
    for cls in vars(protocol).values()
    if isinstance(cls, type) and issubclass(cls, Message) and cls is not Message
}


def parse_message(line: str) -> Message | None:
    """Return the message in a line; None for anything else a newer engine may say."""
    try:
        body = json.loads(line)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    cls = _CLASSES.get(body.get("type"))
    if cls is None:
        return None
    names = {field.name for field in dataclasses.fields(cls)}
    if not names <= body.keys():
        return None
    return cls(**{name: body[name] for name in names})
