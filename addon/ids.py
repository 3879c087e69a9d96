"""Every identifier that Blender or a saved file knows us by; the only place they are written."""

from typing import Final

__all__ = [
    "ADDON_PACKAGE",
    "ADD_TO_RENDER",
    "CANCEL",
    "CANCEL_SETUP",
    "CHECK_ENGINE",
    "EXPORT_PCGS",
    "EXPORT_PLY",
    "FIND_FILE",
    "IMPORT_PCGS",
    "MAKE_POINT_CLOUD",
    "PACK_FILE",
    "PAUSE",
    "RELOAD_FILE",
    "REMOVE_ENGINE",
    "REMOVE_FROM_RENDER",
    "RESUME",
    "SCAN_IMAGES",
    "SET_LEVEL",
    "SET_UP_ENGINE",
    "SHOW_CAMERAS",
    "SHOW_RESULT",
    "SIDEBAR_TAB",
    "STOP_DECODING",
    "TRAIN",
    "UNPACK_FILE",
    "USE_SAMPLE",
]

ADDON_PACKAGE: Final[str] = __package__ or "addon"
"""Module name of the extension, `bl_ext.<repository>.pcgs` once installed."""

SIDEBAR_TAB: Final = "PCGS"

# Operators of the engine's environment (bl_idname).
SET_UP_ENGINE: Final = "pcgs.set_up_engine"
CANCEL_SETUP: Final = "pcgs.cancel_setup"
REMOVE_ENGINE: Final = "pcgs.remove_engine"

# Operators of training.
CHECK_ENGINE: Final = "pcgs.check_engine"
SCAN_IMAGES: Final = "pcgs.scan_images"
USE_SAMPLE: Final = "pcgs.use_sample"
SHOW_CAMERAS: Final = "pcgs.show_cameras"
TRAIN: Final = "pcgs.train"
PAUSE: Final = "pcgs.pause"
RESUME: Final = "pcgs.resume"
CANCEL: Final = "pcgs.cancel"
SHOW_RESULT: Final = "pcgs.show_result"

# Operators of files.
IMPORT_PCGS: Final = "import_scene.pcgs"
EXPORT_PCGS: Final = "export_scene.pcgs"
EXPORT_PLY: Final = "export_scene.pcgs_ply"
FIND_FILE: Final = "pcgs.find_file"
PACK_FILE: Final = "pcgs.pack_file"
UNPACK_FILE: Final = "pcgs.unpack_file"
RELOAD_FILE: Final = "pcgs.reload_file"
STOP_DECODING: Final = "pcgs.stop_decoding"
SET_LEVEL: Final = "pcgs.set_level"
MAKE_POINT_CLOUD: Final = "pcgs.make_point_cloud"

# Operators of renders.
ADD_TO_RENDER: Final = "pcgs.add_to_render"
REMOVE_FROM_RENDER: Final = "pcgs.remove_from_render"
