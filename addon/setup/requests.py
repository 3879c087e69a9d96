"""Blender's settings in, plans and a started set-up in the registry out. Main thread only."""

from pathlib import Path

import bpy

from ..engine.registry import engine_registry
from ..paths import engine_environment
from ..preferences import preferences
from .machine import Driver, blender_python, python_fault, this_machine
from .plan import SetupPlan, make_plan
from .registry import setup_registry
from .setup_job import SetupJob
from .torch_build import TorchBuild
from .wheel_source import OWN_WHEELS, WheelSource

__all__ = ["busy_reason", "environment_folder", "plan_setup", "start_setup"]


def environment_folder(context: bpy.types.Context) -> Path:
    """Return where the private environment is or would be."""
    return engine_environment(preferences(context).cache_folder)


def busy_reason() -> str:
    """Return why the environment must not be touched now; empty where it may."""
    if setup_registry.running_job is not None:
        return "The training engine is being set up"
    if engine_registry.running_job is not None:
        return "A training is running"
    if engine_registry.busy:
        return "The engine is being asked"
    return ""


def plan_setup(
    context: bpy.types.Context, wanted: TorchBuild, driver: Driver | None
) -> SetupPlan | str:
    """Return what would be done, or why there can be no plan."""
    fault = python_fault()
    if fault:
        return fault

    def plan_from(source: WheelSource) -> SetupPlan:
        return make_plan(
            machine=this_machine(),
            driver=driver,
            source=source,
            wanted=wanted,
            environment=environment_folder(context),
            blender_python=blender_python(),
            online=bpy.app.online_access,
        )

    chosen = preferences(context)
    index, folder = chosen.package_index.strip(), chosen.wheel_folder
    try:
        if folder:
            return plan_from(WheelSource(index=index, folder=Path(bpy.path.abspath(folder))))
        if OWN_WHEELS.is_dir():
            plan = plan_from(WheelSource(folder=OWN_WHEELS))
            if not plan.lacking:
                return plan
            # They are for another Python or have no CUDA: what this choice needs is downloaded.
        return plan_from(WheelSource(index=index))
    except (OSError, ValueError) as error:
        return str(error)


def start_setup(plan: SetupPlan) -> SetupJob:
    """Carry a plan out."""
    setup_registry.job = SetupJob(plan)
    return setup_registry.job
