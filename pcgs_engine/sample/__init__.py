"""The embedded sample: 48 posed pictures of a made-up room, enough to try everything at once."""

from .location import golden_file, sample_path

__all__ = ["golden_file", "sample_path"]
