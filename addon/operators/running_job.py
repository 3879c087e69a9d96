"""Polls of the operators about a training: does one run, and words for where it should not."""

import bpy

from ..engine.registry import engine_registry

__all__ = ["needs_no_running_job", "needs_running_job"]


def needs_running_job(cls: type[bpy.types.Operator]) -> bool:
    """Poll: a training runs; says so where none does."""
    if engine_registry.running_job is None:
        cls.poll_message_set("No training is running")
        return False
    return True


def needs_no_running_job(cls: type[bpy.types.Operator]) -> bool:
    """Poll: no training runs; says so where one does."""
    if engine_registry.running_job is not None:
        cls.poll_message_set("A training is running")
        return False
    return True
