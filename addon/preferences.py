"""Preferences of the add-on: which Python runs the engine, where files go, how much is drawn."""

import os
from dataclasses import dataclass
from typing import TypeAlias

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from . import ids
from .engine.registry import engine_registry
from .panels.engine_report import draw_engine
from .panels.setup_section import draw_setup
from .path_property import PATH_OPTIONS
from .paths import default_cache_folder

__all__ = ["CLASSES", "PCGS_AP_preferences", "Preferences", "preferences", "thread_count"]

DEFAULT_SPLAT_BUDGET = 1_000_000


class PCGS_AP_preferences(bpy.types.AddonPreferences):
    """Shown under Preferences > Add-ons > PCGS."""

    bl_idname = ids.ADDON_PACKAGE

    engine_python: StringProperty(
        name="Engine Python",
        description="Python that runs the training engine (needs torch). Empty: found "
        "automatically in the cache folder, else Blender's own Python if it can",
        subtype="FILE_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
        update=lambda self, context: engine_registry.forget_report(),
    )
    device: EnumProperty(
        name="Device",
        description="Where the engine trains",
        items=(
            ("auto", "Automatic", "The NVIDIA GPU where a trial picture comes out right, else CPU"),
            ("cuda", "NVIDIA GPU", "Stop with a message where it does not work"),
            ("cpu", "CPU", "Never use the GPU"),
        ),
        default="auto",
    )
    threads: IntProperty(
        name="Threads",
        description="CPU threads of the engine; 0 takes all that Blender may use",
        default=0,
        min=0,
        soft_max=64,
        max=1024,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Engine environment, and the runs of files that have never been saved. "
        "Empty: the folder Blender gives this extension",
        subtype="DIR_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
        update=lambda self, context: engine_registry.forget_report(),
    )
    wheel_folder: StringProperty(
        name="Wheel Folder",
        description="Folder of wheels to set the training engine up from, without the network. "
        "Empty: they are downloaded",
        subtype="DIR_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
    )
    package_index: StringProperty(
        name="Package Index",
        description="Address of a Python package index that is asked besides the one that pip is "
        "set to: torch's own, for its CPU-only or CUDA builds",
    )
    splat_budget: IntProperty(
        name="Viewport Splats",
        description="At most this many splats are drawn in a viewport; renders draw all",
        default=DEFAULT_SPLAT_BUDGET,
        min=10_000,
        soft_max=10_000_000,
        max=100_000_000,
        step=10_000,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(self, "engine_python")
        column.prop(self, "device")
        column.prop(self, "threads")
        column.prop(self, "cache_folder")
        if not self.cache_folder:
            column.label(text=str(default_cache_folder()), icon="FILE_FOLDER")
        column.prop(self, "splat_budget")
        box = layout.box()
        draw_engine(box, context)
        draw_setup(box, context, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPreferences:
    """What holds where the add-on was registered by a script and not enabled in Blender."""

    engine_python: str = ""
    device: str = "auto"
    threads: int = 0
    cache_folder: str = ""
    wheel_folder: str = ""
    package_index: str = ""
    splat_budget: int = DEFAULT_SPLAT_BUDGET


Preferences: TypeAlias = "PCGS_AP_preferences | DefaultPreferences"


def preferences(context: bpy.types.Context | None = None) -> Preferences:
    """Return the add-on's preferences; always has the same fields."""
    addons = (context or bpy.context).preferences.addons
    entry = addons.get(ids.ADDON_PACKAGE)
    if entry is None or entry.preferences is None:
        return DefaultPreferences()
    return entry.preferences


def thread_count(threads: int) -> int:
    """Return the threads the engine may use: the preference, or all that Blender may."""
    if threads:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CLASSES: tuple[type, ...] = (PCGS_AP_preferences,)
