"""Check Engine: which Python would train, its versions and device, or the reason it cannot."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.requests import start_check
from ..engine.session import start_polling, step

__all__ = ["CLASSES"]


class PCGS_OT_check_engine(bpy.types.Operator):
    """Try the engine."""

    bl_idname = ids.CHECK_ENGINE
    bl_label = "Check Engine"
    bl_description = (
        "Start the engine's Python, let it decode and draw, and show its versions, device and "
        "speed, or what is wrong"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One check at a time."""
        if engine_registry.check is not None:
            cls.poll_message_set("A check is running")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Check in a thread; the panel shows the answer."""
        start_check(context, self_test=True)
        start_polling()
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check and wait."""
        task = start_check(context, self_test=True)
        task.wait()
        step()
        report = task.result
        if report is None or not report.usable:
            self.report({"WARNING"}, task.error if report is None else report.problem)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Engine {report.engine}, torch {report.torch}, {report.speed}")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_check_engine,)
