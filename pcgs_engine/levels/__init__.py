"""Trained models to integers per level."""

from .quantize import quantize_level
from .split_levels import split_levels

__all__ = ["quantize_level", "split_levels"]
