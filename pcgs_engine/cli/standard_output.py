"""Keep standard output for what the command itself says.

Libraries print, and the compilers they start inherit file descriptor 1 (ninja does so under
torchac); one such line between JSON messages would break the host.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

__all__ = ["claimed_stdout"]


@contextlib.contextmanager
def claimed_stdout() -> Iterator[TextIO]:
    """Yield the real standard output; everything else written to stdout goes to stderr."""
    with contextlib.ExitStack() as stack:
        stream = sys.stdout
        if sys.stdout is sys.__stdout__ and _descriptors_are_standard():
            stream = stack.enter_context(_claimed_descriptor())
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield stream


def _descriptors_are_standard() -> bool:
    # Not so inside a host that replaced its streams, or where one is closed.
    try:
        return sys.stdout.fileno() == 1 and sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def _claimed_descriptor() -> Iterator[TextIO]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(kept, "w", encoding=sys.stdout.encoding, closefd=False)
    try:
        yield stream
    finally:
        os.dup2(kept, 1)
        # What could not be flushed (full disk, no reader) was reported when it was written.
        with contextlib.suppress(OSError):
            stream.close()
        os.close(kept)
