"""A `.pcgs` file on the command line: path and `--level` in, a decoder ready at that level out."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..codec import ProgressiveDecoder, decode_file
from ..errors import BitstreamError, ConfigError
from ..protocol import Warned
from ..splats import SplatCloud, to_splats
from .console import Console

__all__ = ["OpenedFile", "open_file", "reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A decoder and the level the user asked for."""

    decoder: ProgressiveDecoder
    level: int

    def splats(self) -> SplatCloud:
        """Return the splats of the level as every export shows them."""
        decoder = self.decoder
        return to_splats(
            decoder.anchors(self.level), decoder.head, decoder.config, decoder.camera_centres
        )


def open_file(path: Path, level: int | None, console: Console) -> OpenedFile:
    """Decode up to `level`, or all that is there; a file that ends too early is warned of.

    Raises:
        ConfigError: the file has no such level.
        BitstreamError: the file cannot be read or decoded.
    """
    with reading(path):
        decoder = decode_file(path, level)
    if decoder.shortage:
        console.message(Warned(text=f"{path}: {decoder.shortage}"))
    return OpenedFile(decoder=decoder, level=level or decoder.levels_ready)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Let errors of the body name the file: the codec often sees bytes only.

    Raises:
        BitstreamError: the file cannot be read, or what the body raised.
        ConfigError: what the body raised.
    """
    try:
        yield
    except (BitstreamError, ConfigError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BitstreamError(f"{path}: cannot be read ({reason}); check the path") from error
