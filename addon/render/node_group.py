"""The node group that puts splats over a picture: a scene's view transform in, a group out.

    Standard:       Alpha Over
    AgX, Filmic:    to the view's display values, Alpha Over, and back; untouched without splats

The user sees it, may look into it and may move it in the tree.
"""

import bpy

from .view_space import REC709, SRGB, scene_space, view_space

__all__ = ["GROUP_MARK", "IMAGE", "SPLATS", "build_group", "is_our_group", "new_group"]

GROUP_NAME = "PCGS Splats"
GROUP_MARK = "pcgs_render_group"
"""Custom property of our groups: the space they were built for."""
IMAGE, SPLATS = "Image", "Splats"

Socket = bpy.types.NodeSocket


def new_group(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Return a new group for a scene."""
    group = bpy.data.node_groups.new(GROUP_NAME, "CompositorNodeTree")
    for name, direction in ((IMAGE, "INPUT"), (SPLATS, "INPUT"), (IMAGE, "OUTPUT")):
        group.interface.new_socket(name, in_out=direction, socket_type="NodeSocketColor")
    group[GROUP_MARK] = ""
    build_group(group, scene)
    return group


def is_our_group(tree: bpy.types.NodeTree | None) -> bool:
    """Return whether a node tree is one of ours."""
    return tree is not None and GROUP_MARK in tree


def build_group(group: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
    """Fill a group for a scene's view transform, unless it is that already."""
    builder = _Builder(group)
    space = view_space(scene, builder.spaces)
    if group.nodes and group[GROUP_MARK] == (space or SRGB):
        return
    group.nodes.clear()
    ends = builder.add("NodeGroupInput").outputs
    splats = builder.convert(ends[SPLATS], REC709, scene_space(builder.spaces))
    if space is None:
        result = builder.over(ends[IMAGE], splats)
    else:
        result = _over_in_display(builder, ends[IMAGE], ends[SPLATS], space)
    builder.link(result, builder.add("NodeGroupOutput").inputs[IMAGE])
    builder.arrange()
    group[GROUP_MARK] = space or SRGB


def _over_in_display(builder: "_Builder", image: Socket, splats: Socket, space: str) -> Socket:
    linear = scene_space(builder.spaces)
    shown = builder.straight(image, premultiplied=False)
    shown = builder.convert(builder.convert(shown, linear, space), SRGB, REC709)
    shown = builder.over(builder.straight(shown, premultiplied=True), splats)
    alpha = builder.add("CompositorNodeSeparateColor")
    builder.link(shown, alpha.inputs[0])
    back = builder.straight(shown, premultiplied=False)
    back = builder.convert(builder.convert(back, REC709, SRGB), space, linear)
    back = builder.straight(back, premultiplied=True)
    # Display values end at white: a bright sky without splats before it must not.
    return builder.with_alpha(builder.where_any(splats, image, back), alpha.outputs["Alpha"])


class _Builder:
    """Adds nodes under the names that 4.2, 4.5 and 5.x have for them."""

    def __init__(self, group: bpy.types.NodeTree) -> None:
        self._group = group
        probe = group.nodes.new("CompositorNodeConvertColorSpace")
        items = probe.bl_rna.properties["from_color_space"].enum_items
        self.spaces = {item.identifier for item in items}
        group.nodes.remove(probe)

    def add(self, kind: str) -> bpy.types.Node:
        return self._group.nodes.new(kind)

    def link(self, source: Socket, target: Socket) -> None:
        self._group.links.new(source, target)

    def convert(self, source: Socket, before: str, after: str) -> Socket:
        if before == after:
            return source
        node = self.add("CompositorNodeConvertColorSpace")
        node.from_color_space, node.to_color_space = before, after
        self.link(source, node.inputs[0])
        return node.outputs[0]

    def over(self, background: Socket, foreground: Socket) -> Socket:
        node = self.add("CompositorNodeAlphaOver")
        lower, upper = (item for item in node.inputs if item.type == "RGBA")
        self.link(background, lower)
        self.link(foreground, upper)
        return node.outputs[0]

    def straight(self, source: Socket, *, premultiplied: bool) -> Socket:
        """Convert to straight alpha, or back to premultiplied."""
        node = self.add("CompositorNodePremulKey")
        if hasattr(node, "mapping"):
            node.mapping = "STRAIGHT_TO_PREMUL" if premultiplied else "PREMUL_TO_STRAIGHT"
        else:
            node.inputs["Type"].default_value = (
                "To Premultiplied" if premultiplied else "To Straight"
            )
        self.link(source, node.inputs[0])
        return node.outputs[0]

    def with_alpha(self, source: Socket, alpha: Socket) -> Socket:
        node = self.add("CompositorNodeSetAlpha")
        if hasattr(node, "mode"):
            node.mode = "REPLACE_ALPHA"
        else:
            node.inputs["Type"].default_value = "Replace Alpha"
        self.link(source, node.inputs["Image"])
        self.link(alpha, node.inputs["Alpha"])
        return node.outputs[0]

    def where_any(self, mask: Socket, without: Socket, within: Socket) -> Socket:
        """Choose `within` where the mask's alpha is above 0."""
        parts = self.add("CompositorNodeSeparateColor")
        self.link(mask, parts.inputs[0])
        modern = bpy.app.version >= (5, 0, 0)
        above = self.add("ShaderNodeMath" if modern else "CompositorNodeMath")
        above.operation = "GREATER_THAN"
        above.inputs[1].default_value = 0.0
        self.link(parts.outputs["Alpha"], above.inputs[0])
        mix = self.add("ShaderNodeMix" if modern else "CompositorNodeMixRGB")
        if modern:
            mix.data_type = "RGBA"
        lower, upper = (item for item in mix.inputs if item.type == "RGBA")
        self.link(above.outputs[0], mix.inputs[0])
        self.link(without, lower)
        self.link(within, upper)
        return next(item for item in mix.outputs if item.type == "RGBA")

    def arrange(self) -> None:
        """Put the nodes in a row, in the order they were added."""
        for index, node in enumerate(self._group.nodes):
            node.location = (220.0 * index, -160.0 * (index % 2))
