"""A line in the sidebar when a viewport does not show all splats: what, and what to do."""

import bpy

from .. import ids
from .session import viewport_session

__all__ = ["PCGS_PT_viewport_notice"]


class PCGS_PT_viewport_notice(bpy.types.Panel):
    """Shown only while there is something to say."""

    bl_idname = "PCGS_PT_viewport_notice"
    bl_label = "Viewport"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.SIDEBAR_TAB
    bl_order = 90

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is something to say."""
        return bool(viewport_session.notice)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the message, a sentence a line: panels do not wrap text."""
        column = self.layout.column(align=True)
        for number, line in enumerate(viewport_session.notice.replace(": ", ". ").split(". ")):
            column.label(text=line, icon="INFO" if number == 0 else "BLANK1")
