"""Stop: ends the decoding of all files; levels that are ready stay."""

import bpy

from .. import ids
from ..objects.session import working_files

__all__ = ["CLASSES"]


class PCGS_OT_stop_decoding(bpy.types.Operator):
    """Stop decoding."""

    bl_idname = ids.STOP_DECODING
    bl_label = "Stop Decoding"
    bl_description = "Stop reading splat files. Levels that are ready stay; Reload goes on"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a file being decoded."""
        if not working_files():
            cls.poll_message_set("No file is being decoded")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the threads to stop; they do at the next piece."""
        for file in working_files():
            file.cancel()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_stop_decoding,)
