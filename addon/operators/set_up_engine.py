"""Set Up Engine: shows what would be downloaded and where to, asks, and makes the environment."""

import bpy
from bpy.props import EnumProperty

from .. import ids
from ..panels.setup_section import draw_plan
from ..setup.machine import nvidia_driver
from ..setup.plan import SetupPlan
from ..setup.requests import busy_reason, plan_setup, start_setup
from ..setup.session import finish_setup, start_polling
from ..setup.setup_state import Step
from ..setup.torch_build import TorchBuild

__all__ = ["CLASSES"]

DIALOG_WIDTH = 520


class PCGS_OT_set_up_engine(bpy.types.Operator):
    """Make a private environment that can train."""

    bl_idname = ids.SET_UP_ENGINE
    bl_label = "Set Up Training Engine"
    bl_description = (
        "Install what training needs (torch and others) into a folder of the add-on's own. Shows "
        "what is downloaded and how large it is before anything happens"
    )

    build: EnumProperty(
        name="Torch",
        description="Which build of torch is installed",
        items=(
            (TorchBuild.AUTO.value, "Automatic", "With CUDA where an NVIDIA driver is found"),
            (TorchBuild.CUDA.value, "NVIDIA GPU", "With CUDA, whatever is found"),
            (TorchBuild.CPU.value, "CPU", "The smallest there is"),
        ),
        default=TorchBuild.AUTO.value,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while the environment is in use."""
        reason = busy_reason()
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the plan, or why there is none whatever one chooses."""
        self._driver = nvidia_driver()
        self._plans: dict[str, SetupPlan | str] = {}
        plans = [self._plan(context, build) for build in TorchBuild]
        problems = [plan if isinstance(plan, str) else plan.problem for plan in plans]
        if all(problems):
            self.report({"ERROR"}, problems[0])
            return {"CANCELLED"}
        self._asked = True
        return context.window_manager.invoke_props_dialog(
            self, width=DIALOG_WIDTH, title="Set up training engine", confirm_text="Install"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the choice and what it means."""
        layout = self.layout
        layout.row().prop(self, "build", expand=True)
        plan = self._plan(context, TorchBuild(self.build))
        if isinstance(plan, str):
            layout.label(text=plan, icon="ERROR")
        else:
            draw_plan(layout, context, plan, DIALOG_WIDTH)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; scripts and background mode wait for the end."""
        asked = getattr(self, "_asked", False)
        if not asked:
            self._driver, self._plans = nvidia_driver(), {}
        plan = self._plan(context, TorchBuild(self.build))
        problem = plan if isinstance(plan, str) else plan.problem
        if isinstance(plan, str) or problem:
            self.report({"ERROR"}, problem)
            return {"CANCELLED"}
        job = start_setup(plan)
        if asked and not bpy.app.background:
            start_polling()
            return {"FINISHED"}
        job.wait()
        finish_setup()
        if job.state.step is not Step.DONE:
            self.report({"ERROR"}, job.state.error or job.state.step.value)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Training engine set up in {plan.environment}")
        return {"FINISHED"}

    def _plan(self, context: bpy.types.Context, build: TorchBuild) -> SetupPlan | str:
        if build.value not in self._plans:
            self._plans[build.value] = plan_setup(context, build, self._driver)
        return self._plans[build.value]


CLASSES: tuple[type, ...] = (PCGS_OT_set_up_engine,)
