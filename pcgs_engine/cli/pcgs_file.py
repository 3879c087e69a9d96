"""A `.pcgs` file on the command line: path and `--level` in, a decoder ready at that level out."""

from dataclasses import dataclass
from pathlib import Path

from ..codec import ProgressiveDecoder, decode_file
from ..errors import ConfigError
from ..splats import SplatCloud, to_splats

__all__ = ["OpenedFile", "check_level", "open_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A decoder and the level the user asked for."""

    decoder: ProgressiveDecoder
    level: int

    def splats(self, level: int) -> SplatCloud:
        """Return the splats of a level as every export shows them."""
        decoder = self.decoder
        return to_splats(
            decoder.anchors(level), decoder.head, decoder.config, decoder.camera_centres
        )


def open_file(path: Path, level: int | None) -> OpenedFile:
    """Decode up to `level`, or the whole file.

    Raises:
        ConfigError: the file has no such level.
        BitstreamError: the file cannot be decoded.
    """
    decoder = decode_file(path, level)
    return OpenedFile(decoder=decoder, level=level or decoder.levels_ready)


def check_level(level: int, num_levels: int, path: Path) -> int:
    """Return `level`.

    Raises:
        ConfigError: not in 1..num_levels.
    """
    if not 1 <= level <= num_levels:
        raise ConfigError(f"{path}: level is {level}, wanted 1..{num_levels}; see pcgs inspect")
    return level
