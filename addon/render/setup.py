"""Splats in renders: switches them on and off for a scene by nodes in its compositor.

On: the picture of the scene's Render Layers node goes through a group that puts the picture of the
helper scene (see splats_scene) over it. Off: every node, link and setting is as before.
Main thread only.
"""

import json

import bpy

from .node_group import IMAGE, SPLATS, build_group, is_our_group, new_group
from .splats_scene import base_scene, helper_of, new_helper, remove_helper

__all__ = [
    "SetupError",
    "add_splats",
    "is_added",
    "refresh_groups",
    "remove_splats",
    "setup_problem",
]

BEFORE_KEY = "pcgs_before"
"""Custom property of the helper: what removing it has to set back."""
RENDER_LAYERS = "CompositorNodeRLayers"
MODERN = (5, 0, 0)
"""From here on a compositor is a node group with an output node, and can be shared."""
GAP = 260.0
"""Between our nodes and the one they follow."""


class SetupError(Exception):
    """Splats cannot be added to the render; the message says what to do."""


def add_splats(scene: bpy.types.Scene, *, gpu: bool) -> None:
    """Put the splats into a scene's renders; no-op where they are.

    Raises:
        SetupError: the compositor has no place for them.
    """
    if is_added(scene):
        return
    remove_splats(scene)  # what is left of an earlier one
    reason = setup_problem(scene)
    if reason:
        raise SetupError(reason)
    helper = new_helper(scene, gpu=gpu)
    tree = _tree(scene)
    before = {"new_tree": tree is None, "passes": _enable_passes(scene)}
    helper[BEFORE_KEY] = json.dumps(before)
    if tree is None:
        tree = _new_tree(scene)
    sources = _pictures(tree, scene)
    if len(sources) == 1:
        _insert(tree, scene, helper, sources[0], [link.to_socket for link in sources[0].links])
        return
    # Several view layers, or none: over the finished picture.
    ends = _ends(tree)
    _insert(tree, scene, helper, ends[0].links[0].from_socket, ends)


def remove_splats(scene: bpy.types.Scene) -> None:
    """Take the splats out of a scene's renders; no-op where there are none."""
    helper = helper_of(scene)
    tree = _tree(scene)
    if tree is not None:
        _remove_nodes(tree, helper)
    if helper is None:
        return
    before = json.loads(helper.get(BEFORE_KEY, '{"new_tree": false, "passes": []}'))
    for layer, name in before["passes"]:
        if layer in scene.view_layers:
            setattr(scene.view_layers[layer], name, False)
    if before["new_tree"] and tree is not None:
        _drop_tree(scene, tree)
    remove_helper(helper)


def is_added(scene: bpy.types.Scene) -> bool:
    """Return whether a scene's renders show its splats, as far as nodes go."""
    helper, tree = helper_of(scene), _tree(scene)
    if helper is None or tree is None:
        return False
    return any(
        is_our_group(getattr(node, "node_tree", None))
        and not node.mute
        and any(link.from_node.scene == helper for link in node.inputs[SPLATS].links)
        and bool(node.outputs[IMAGE].links)
        for node in tree.nodes
    )


def setup_problem(scene: bpy.types.Scene) -> str:
    """Return why splats cannot be added to a scene's renders; empty where they can."""
    if scene.library is not None or scene.override_library is not None:
        return f"scene {scene.name} is linked; add splats in its own file"
    if base_scene(scene) is not None:
        return "this is the helper scene of another one; choose that one"
    tree = _tree(scene)
    if tree is None:
        old = None if bpy.app.version >= MODERN else scene.node_tree
        if old is not None and not _is_plain(old):
            return "the compositor is switched off but holds nodes; switch on Use Nodes first"
        return ""
    if tree.library is not None:
        return "the compositor's node tree is linked; make it local first"
    if len(_pictures(tree, scene)) != 1 and not _ends(tree):
        return "the compositor has no output that shows a picture; connect one"
    return ""


def refresh_groups() -> None:
    """Fit the node groups to their scenes' view transforms."""
    for scene in bpy.data.scenes:
        tree = _tree(scene)
        for node in () if tree is None else tree.nodes:
            group = getattr(node, "node_tree", None)
            if is_our_group(group) and group.library is None:
                build_group(group, scene)


def _tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """Return the compositor's tree of a scene, where it is in use."""
    if bpy.app.version >= MODERN:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def _new_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Switch the compositor on: the scene's picture goes straight to the output."""
    if bpy.app.version < MODERN:
        scene.use_nodes = True  # makes the two nodes, where there was no tree at all
        tree = scene.node_tree
        if not tree.nodes:
            _show_picture(tree, scene, "CompositorNodeComposite")
        return tree
    tree = bpy.data.node_groups.new(f"{scene.name} Compositing", "CompositorNodeTree")
    tree.interface.new_socket(IMAGE, in_out="OUTPUT", socket_type="NodeSocketColor")
    # Before there are nodes: a Render Layers node is for compositors of scenes only.
    scene.compositing_node_group = tree
    _show_picture(tree, scene, "NodeGroupOutput")
    return tree


def _show_picture(tree: bpy.types.NodeTree, scene: bpy.types.Scene, output_kind: str) -> None:
    layers, output = tree.nodes.new(RENDER_LAYERS), tree.nodes.new(output_kind)
    layers.scene = scene
    output.location.x = layers.location.x + 3.0 * GAP
    tree.links.new(layers.outputs[IMAGE], output.inputs[0])


def _drop_tree(scene: bpy.types.Scene, tree: bpy.types.NodeTree) -> None:
    """Switch the compositor off again, unless the user has added to it."""
    if not _is_plain(tree):
        return
    if bpy.app.version < MODERN:
        scene.use_nodes = False
        return
    scene.compositing_node_group = None
    if tree.users == 0:
        bpy.data.node_groups.remove(tree)


def _is_plain(tree: bpy.types.NodeTree) -> bool:
    """Whether a tree does nothing but show the scene's picture, as Blender makes it."""
    plain = {RENDER_LAYERS, "CompositorNodeComposite", "CompositorNodeViewer", "NodeReroute"}
    return all(node.bl_idname in plain | {"NodeGroupOutput"} for node in tree.nodes)


def _pictures(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> list[bpy.types.NodeSocket]:
    """Return the sockets of a scene's own pictures that lead somewhere."""
    sockets = [
        node.outputs[IMAGE]
        for node in tree.nodes
        if node.bl_idname == RENDER_LAYERS and not node.mute and node.scene in (None, scene)
    ]
    return [socket for socket in sockets if socket.links]


def _ends(tree: bpy.types.NodeTree) -> list[bpy.types.NodeSocket]:
    """Return the connected sockets through which the finished picture leaves the tree."""
    kinds = ("CompositorNodeComposite", "NodeGroupOutput")
    nodes = [node for node in tree.nodes if node.bl_idname in kinds and node.inputs]
    return [node.inputs[0] for node in nodes if node.inputs[0].links]


def _insert(
    tree: bpy.types.NodeTree,
    scene: bpy.types.Scene,
    helper: bpy.types.Scene,
    source: bpy.types.NodeSocket,
    targets: list[bpy.types.NodeSocket],
) -> None:
    """Lead a picture through our group on its way to `targets`."""
    place = source.node.location
    layers = tree.nodes.new(RENDER_LAYERS)
    layers.scene = helper
    layers.name = layers.label = "PCGS Splats"
    layers.location = (place.x, place.y - 1.5 * GAP)
    layers.show_preview = False
    group = tree.nodes.new("CompositorNodeGroup")
    group.node_tree = new_group(scene)
    group.label = "PCGS Splats"
    group.location = (place.x + GAP, place.y - 0.75 * GAP)
    tree.links.new(source, group.inputs[IMAGE])
    tree.links.new(layers.outputs[IMAGE], group.inputs[SPLATS])
    for target in targets:
        tree.links.new(group.outputs[IMAGE], target)


def _remove_nodes(tree: bpy.types.NodeTree, helper: bpy.types.Scene | None) -> None:
    for node in list(tree.nodes):
        group = getattr(node, "node_tree", None)
        if is_our_group(group):
            links = node.inputs[IMAGE].links
            targets = [link.to_socket for link in node.outputs[IMAGE].links]
            for target in targets if links else ():
                tree.links.new(links[0].from_socket, target)
            for link in node.inputs[SPLATS].links:
                if link.from_node.bl_idname == RENDER_LAYERS:
                    tree.nodes.remove(link.from_node)
                    break
            tree.nodes.remove(node)
            if group.users == 0:
                bpy.data.node_groups.remove(group)
    for node in list(tree.nodes):
        if helper is not None and node.bl_idname == RENDER_LAYERS and node.scene == helper:
            tree.nodes.remove(node)


def _enable_passes(scene: bpy.types.Scene) -> list[list[str]]:
    """Switch on the passes that `base_picture` reads; returns those that were off."""
    changed = []
    for layer in scene.view_layers:
        for name in ("use_pass_z", "use_pass_environment"):
            if not getattr(layer, name):
                setattr(layer, name, True)
                changed.append([layer.name, name])
    return changed
