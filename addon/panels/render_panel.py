"""Splats in renders: whether they are, what stands in the way. Sidebar and Render properties."""

import bpy

from .. import ids
from ..render.failure import render_failure
from ..render.render_warnings import render_warnings
from ..render.setup import is_added, setup_problem
from ..render.splats_scene import base_scene, helper_of
from .text_lines import draw_text

__all__ = ["CLASSES"]


class _RenderPanel:
    bl_label = "Splats in Renders"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the state and the button that changes it."""
        layout, scene = self.layout, context.scene
        base = base_scene(scene)
        if base is not None:
            text = f"Helper of scene {base.name}: Blender renders its splats here"
            draw_text(layout, context, text, icon="INFO")
            return
        if is_added(scene):
            layout.label(text="Renders show the splats", icon="CHECKMARK")
            layout.operator(ids.REMOVE_FROM_RENDER, text="Remove", icon="X")
        else:
            text = "Renders do not show the splats"
            if helper_of(scene) is not None:
                text += ": their nodes are muted, unplugged or deleted"
            draw_text(layout, context, text, icon="INFO")
            problem = setup_problem(scene)
            if problem:
                draw_text(layout, context, problem, icon="ERROR")
            layout.operator(ids.ADD_TO_RENDER, text="Add to Renders", icon="ADD")
            return
        if render_failure.text:
            draw_text(layout, context, f"Last render: {render_failure.text}", icon="CANCEL")
        for text in render_warnings(scene):
            draw_text(layout, context, text, icon="ERROR")


class PCGS_PT_render(_RenderPanel, bpy.types.Panel):
    """In the sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.SIDEBAR_TAB
    bl_options = {"DEFAULT_CLOSED"}


class PCGS_PT_render_properties(_RenderPanel, bpy.types.Panel):
    """In the Render properties, for every engine."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_options = {"DEFAULT_CLOSED"}


CLASSES: tuple[type, ...] = (PCGS_PT_render, PCGS_PT_render_properties)
