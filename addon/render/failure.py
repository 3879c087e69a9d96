"""What went wrong in the last render: told by the engine, shown in the panel and once in a popup.

Blender prints what the engine of a helper scene reports, and shows it to nobody.
"""

import bpy

__all__ = ["RenderFailure", "render_failure"]


class RenderFailure:
    """The last render's message; empty where all went well."""

    def __init__(self) -> None:
        self.text = ""

    def clear(self) -> None:
        """A render has succeeded, or the session ends."""
        self.text = ""

    def tell(self, text: str) -> None:
        """Keep a message and show it; may be called from the render's thread."""
        is_new = text != self.text
        self.text = text
        if is_new and not bpy.app.background:
            bpy.app.timers.register(self._show, first_interval=0.0)

    def _show(self) -> None:
        text = self.text
        windows = bpy.context.window_manager.windows
        if not text or not windows:
            return

        def draw(menu: bpy.types.Menu, _: bpy.types.Context) -> None:
            menu.layout.label(text=text)

        # A timer has no window in its context, and a popup needs one.
        with bpy.context.temp_override(window=windows[0]):
            bpy.context.window_manager.popup_menu(
                draw, title="Splats Are Missing in the Render", icon="ERROR"
            )


render_failure = RenderFailure()
"""The one of this session; cleared on unregister."""
