"""Trained models to integers per level."""

from .split_levels import split_levels

__all__ = ["split_levels"]
