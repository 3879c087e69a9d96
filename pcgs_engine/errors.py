"""Every error the engine raises on purpose, in one tree.

    PcgsError
    ├── ConfigError               exit 2
    ├── SceneError                exit 3
    ├── SplatFileError            exit 3
    ├── CheckpointError           exit 3
    ├── OutputError               exit 3
    ├── ModelMismatchError        exit 3
    ├── BitstreamError            exit 3
    │   ├── MalformedError
    │   ├── UnsupportedVersionError
    │   ├── ChecksumError
    │   ├── LimitExceededError
    │   └── TruncatedError
    ├── DeviceError               exit 4
    │   └── DeviceMemoryError
    ├── DivergedError             exit 1
    └── CancelledError            exit 130

A message is one line, lower case, without full stop: the place (file, chunk, byte offset), what
was found, what was wanted, and what to do next.
"""

__all__ = [
    "BitstreamError",
    "CancelledError",
    "CheckpointError",
    "ChecksumError",
    "ConfigError",
    "DeviceError",
    "DeviceMemoryError",
    "DivergedError",
    "LimitExceededError",
    "MalformedError",
    "ModelMismatchError",
    "OutputError",
    "PcgsError",
    "SceneError",
    "SplatFileError",
    "TruncatedError",
    "UnsupportedVersionError",
]


class PcgsError(Exception):
    """Base of all errors a caller can act on; `exit_code` is the command line's status."""

    exit_code = 1


class ConfigError(PcgsError, ValueError):
    """An option or config field is unknown or out of range; correct the value named."""

    exit_code = 2


class SceneError(PcgsError):
    """The image set cannot be used as it is; the message names the file and the remedy."""

    exit_code = 3


class SplatFileError(PcgsError):
    """A splat file (PLY) cannot be read or written; the message names the property or place."""

    exit_code = 3


class CheckpointError(PcgsError):
    """A run folder holds no usable checkpoint; start the run anew or choose another folder."""

    exit_code = 3


class OutputError(PcgsError, OSError):
    """A result cannot be written (permission, disk space); free space or choose another folder."""

    exit_code = 3


class ModelMismatchError(PcgsError):
    """Parts that belong together do not fit (a model without anchors, foreign weights)."""

    exit_code = 3


class BitstreamError(PcgsError):
    """Base of everything that can be wrong with the bytes of a `.pcgs` file."""

    exit_code = 3


class MalformedError(BitstreamError):
    """The bytes break a rule of FORMAT.md; the file is damaged or not a `.pcgs` file."""


class UnsupportedVersionError(BitstreamError):
    """The file needs a newer reader; update to the version named."""


class ChecksumError(BitstreamError):
    """Stored and computed check values differ; fetch the file again."""


class LimitExceededError(BitstreamError):
    """A declared size is beyond what a reader allows; the file is hostile or damaged."""


class TruncatedError(BitstreamError):
    """`finish()` was called before the bytes of a level were complete; fetch the rest."""


class DeviceError(PcgsError):
    """The wanted device or backend does not work here; choose another `--device`."""

    exit_code = 4


class DeviceMemoryError(DeviceError):
    """Memory ran out; use a smaller `--max-size` or preset."""


class DivergedError(PcgsError):
    """Training produced numbers that are not finite; train anew with another seed."""


class CancelledError(PcgsError):
    """The job was cancelled after saving a checkpoint; continue with `--resume`."""

    exit_code = 130
