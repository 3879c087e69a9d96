"""`Scene.pcgs`: the image folder, the settings of a training and where its run lies."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..engine.registry import engine_registry
from ..path_property import PATH_OPTIONS

__all__ = ["PCGS_PG_scene_settings"]

PRESETS = (
    ("preview", "Preview", "A quick look: minutes on two CPU cores, images of 320 pixels"),
    ("standard", "Standard", "Everyday quality: a quarter of an hour on a GPU, 1024 pixels"),
    ("high", "High", "Full size and length: images of 1600 pixels, 30,000 steps"),
)
HEADS = (
    ("explicit", "Exact", "Decoded splats are standard splats: what is trained is what you see"),
    ("neural", "Neural", "As in the paper: smaller, but only approximated in the viewport"),
)
BACKGROUNDS = (
    ("black", "Black", "Images with alpha are trained on black"),
    ("white", "White", "Images with alpha are trained on white"),
)


class PCGS_PG_scene_settings(bpy.types.PropertyGroup):
    """Settings of one scene's training, saved in the .blend."""

    image_folder: StringProperty(
        name="Images",
        description="Folder of posed images: transforms.json, or COLMAP's images/ and sparse/0/",
        subtype="DIR_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
        update=lambda self, context: engine_registry.folder_changed(self.id_data),
    )
    preset: EnumProperty(
        name="Preset", description="Size and length of the training", items=PRESETS
    )
    levels: IntProperty(
        name="Levels",
        description="Quality levels in the file; 0 takes the preset's (3)",
        default=0,
        min=0,
        max=16,
    )
    iterations: IntProperty(
        name="Steps",
        description="Training steps; 0 takes the preset's",
        default=0,
        min=0,
        max=10_000_000,
        soft_max=30_000,
    )
    max_size: IntProperty(
        name="Image Size",
        description="Larger images are shrunk to this many pixels; 0 takes the preset's",
        default=0,
        min=0,
        max=16_384,
        soft_max=4096,
        subtype="PIXEL",
    )
    head: EnumProperty(name="Appearance", description="How colours are stored", items=HEADS)
    background: EnumProperty(
        name="Background", description="Behind images with alpha", items=BACKGROUNDS
    )
    time_limit: FloatProperty(
        name="Time Limit (min)",
        description="Minutes of training; the schedule is compressed to fit. 0: no limit",
        default=0.0,
        min=0.0,
        soft_max=600.0,
        precision=1,
    )
    seed: IntProperty(name="Seed", description="Random seed", default=0, min=0)
    preview: BoolProperty(
        name="Live Preview",
        description="Show the splats in the viewport while they are trained",
        default=True,
    )
    preview_seconds: FloatProperty(
        name="Every (s)",
        description="Seconds between two previews; more where one takes long, so that they never "
        "cost more than a twentieth of the time",
        default=5.0,
        min=0.5,
        soft_max=120.0,
        max=3600.0,
        precision=1,
    )
    run_folder: StringProperty(
        name="Run Folder",
        description="Checkpoint, log and result of this scene's last training",
        subtype="DIR_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
    )
