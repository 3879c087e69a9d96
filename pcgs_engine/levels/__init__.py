"""Trained models to integers per level."""

from .quantize import quantize_level
from .sensitivity import Sensitivity, measure_sensitivity
from .split_levels import split_levels

__all__ = ["Sensitivity", "measure_sensitivity", "quantize_level", "split_levels"]
