"""Adding splats to a compositor and taking them away: nothing else changes; saving, farms."""

import subprocess
import sys
from pathlib import Path

import pytest
from render_scenes import make_scene, render
from viewport_gpu import need_gpu


def tree_of(scene):
    import bpy

    if bpy.app.version >= (5, 0, 0):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def value_of(owner, name):
    value = getattr(owner, name)
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else value


def snapshot(scene):
    """Everything a user could see change in a scene: nodes, values, links, passes, data."""
    import bpy

    tree = tree_of(scene)
    nodes, links = {}, set()
    if tree is not None:
        for node in tree.nodes:
            names = ("bl_idname", "label", "mute", "location", "width", "hide")
            values = {name: value_of(node, name) for name in names}
            values["inputs"] = [
                value_of(item, "default_value")
                for item in node.inputs
                if hasattr(item, "default_value")
            ]
            nodes[node.name] = values
        links = {
            tuple((node.name, socket.identifier) for node, socket in ends)
            for ends in (
                ((link.from_node, link.from_socket), (link.to_node, link.to_socket))
                for link in tree.links
            )
        }
    passes = [
        (layer.name, layer.use_pass_z, layer.use_pass_environment) for layer in scene.view_layers
    ]
    output = scene.render.image_settings
    names = ("file_format", "color_depth", "color_mode", "exr_codec")
    settings = {name: getattr(output, name) for name in names}
    kinds = ("scenes", "cameras", "objects", "node_groups")
    data = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in kinds}
    return nodes, links, passes, settings, data


def make_tree(bpy, scene, layers=1):
    """A compositor as a user has it: render layers, a blur, an output."""
    if bpy.app.version >= (5, 0, 0):
        tree = bpy.data.node_groups.new("Mine", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    pictures = [tree.nodes.new("CompositorNodeRLayers").outputs["Image"] for _ in range(layers)]
    picture = pictures[0]
    for other in pictures[1:]:
        over = tree.nodes.new("CompositorNodeAlphaOver")
        lower, upper = (item for item in over.inputs if item.type == "RGBA")
        tree.links.new(picture, lower)
        tree.links.new(other, upper)
        picture = over.outputs[0]
    blur = tree.nodes.new("CompositorNodeBlur")
    blur.location = (123.0, 45.0)
    tree.links.new(picture, blur.inputs["Image"])
    tree.links.new(blur.outputs[0], output.inputs[0])
    return tree


@pytest.fixture
def scene(blender, tmp_path, monkeypatch):
    need_gpu()
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "gpu")
    return make_scene(blender, tmp_path)[0]


@pytest.fixture(params=["none", "plain", "two layers", "unused passes on"])
def variant(request, blender, scene):
    """A scene whose compositor is in one of several states."""
    if request.param in ("plain", "unused passes on"):
        make_tree(blender, scene)
    if request.param == "two layers":
        make_tree(blender, scene, layers=2)
    if request.param == "unused passes on":
        scene.view_layers[0].use_pass_z = True
    return scene


def test_removing_restores_everything(blender, variant, tmp_path):
    before = snapshot(variant)
    assert blender.ops.pcgs.add_to_render() == {"FINISHED"}
    assert snapshot(variant) != before
    render(blender, tmp_path)
    assert blender.ops.pcgs.remove_from_render() == {"FINISHED"}
    assert snapshot(variant) == before


def test_rendering_changes_nothing(blender, variant, tmp_path):
    blender.ops.pcgs.add_to_render()
    before = snapshot(variant)
    render(blender, tmp_path)
    assert snapshot(variant) == before


def test_splats_come_before_the_users_own_nodes(blender, scene):
    tree = make_tree(blender, scene)
    blender.ops.pcgs.add_to_render()
    blur = next(node for node in tree.nodes if node.bl_idname == "CompositorNodeBlur")
    group = blur.inputs["Image"].links[0].from_node
    assert group.node_tree.name.startswith("PCGS Splats")
    assert group.inputs["Splats"].links[0].from_node.scene.name == "Scene PCGS Splats"


def test_adding_twice_is_refused_with_a_reason(blender, scene):
    blender.ops.pcgs.add_to_render()
    assert not blender.ops.pcgs.add_to_render.poll()
    count = len(tree_of(scene).nodes)
    with pytest.raises(RuntimeError, match="show its splats already"):
        blender.ops.pcgs.add_to_render()
    assert len(tree_of(scene).nodes) == count


def test_deleted_nodes_are_noticed_and_added_again(blender, scene):
    from addon.render.setup import is_added

    blender.ops.pcgs.add_to_render()
    tree = tree_of(scene)
    for node in list(tree.nodes):
        if getattr(node, "node_tree", None):
            tree.nodes.remove(node)
    assert not is_added(scene)
    # The picture has lost its way to the output; the user leads it there again.
    layers = next(node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers")
    kinds = ("CompositorNodeComposite", "NodeGroupOutput")
    output = next(node for node in tree.nodes if node.bl_idname in kinds)
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    assert blender.ops.pcgs.add_to_render() == {"FINISHED"}
    assert is_added(scene)
    assert [item.name for item in blender.data.scenes] == ["Scene", "Scene PCGS Splats"]


def test_compositor_without_output_is_refused_with_a_reason(blender, scene):
    tree = make_tree(blender, scene)
    tree.links.clear()
    with pytest.raises(RuntimeError, match="no output that shows a picture"):
        blender.ops.pcgs.add_to_render()
    assert [item.name for item in blender.data.scenes] == ["Scene"]


def test_compositor_that_is_switched_off_is_left_alone(blender, scene):
    if blender.app.version >= (5, 0, 0):
        pytest.skip("from 5.0 on a compositor is there or not")
    make_tree(blender, scene)
    scene.use_nodes = False
    with pytest.raises(RuntimeError, match="switched off but holds nodes"):
        blender.ops.pcgs.add_to_render()


@pytest.mark.parametrize(
    ("transform", "converts"), [("Standard", False), ("AgX", True), ("Filmic", True)]
)
def test_group_follows_the_view_transform(blender, scene, tmp_path, transform, converts):
    blender.ops.pcgs.add_to_render()
    scene.view_settings.view_transform = transform
    render(blender, tmp_path)  # in background mode the group is fitted when a render starts
    group = next(tree for tree in blender.data.node_groups if "PCGS" in tree.name)
    spaces = {
        node.from_color_space
        for node in group.nodes
        if node.bl_idname == "CompositorNodeConvertColorSpace"
    }
    assert (f"{transform} Base sRGB" in spaces or f"{transform} sRGB" in spaces) is converts


def test_save_and_reload_keeps_splats_in_renders(blender, scene, tmp_path):
    from addon.render.setup import is_added

    scene.render.film_transparent = True
    blender.ops.pcgs.add_to_render()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert blender.data.scenes["Scene PCGS Splats"].background_set == scene
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    scene = blender.data.scenes["Scene"]
    assert is_added(scene)
    assert blender.data.scenes["Scene PCGS Splats"].background_set == scene
    assert render(blender, tmp_path)[..., 3].max() > 0.9


def test_saved_file_renders_without_the_addon(blender, scene, tmp_path):
    """Where our engine is missing EEVEE takes its place: it must find nothing to draw."""
    blender.ops.pcgs.add_to_render()
    path = tmp_path / "saved.blend"
    blender.ops.wm.save_as_mainfile(filepath=str(path))
    look = (
        "import bpy, os; bpy.ops.wm.open_mainfile(filepath=r'%s'); "
        "s = bpy.data.scenes['Scene PCGS Splats']; "
        "print('SET', s.background_set, [o.type for o in s.objects], flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look % path], capture_output=True, text=True, timeout=120
    )
    assert "SET None ['CAMERA']" in done.stdout


def test_disabling_the_addon_leaves_helpers_empty(blender, scene):
    blender.ops.pcgs.add_to_render()
    blender.ops.preferences.addon_disable(module="addon")
    try:
        assert blender.data.scenes["Scene PCGS Splats"].background_set is None
    finally:
        blender.ops.preferences.addon_enable(module="addon")
    assert blender.data.scenes["Scene PCGS Splats"].background_set is not None


def test_several_scenes_have_their_own_helpers(blender, scene, tmp_path):
    from addon.render.setup import is_added

    blender.ops.pcgs.add_to_render()
    other = blender.data.scenes.new("Other")
    blender.context.window.scene = other
    assert not is_added(other)
    assert blender.ops.pcgs.add_to_render() == {"FINISHED"}
    assert blender.ops.pcgs.remove_from_render() == {"FINISHED"}
    assert is_added(scene)
    assert not is_added(other)


def test_helper_scene_itself_is_refused(blender, scene):
    blender.ops.pcgs.add_to_render()
    blender.context.window.scene = blender.data.scenes["Scene PCGS Splats"]
    with pytest.raises(RuntimeError, match="helper scene of another one"):
        blender.ops.pcgs.add_to_render()


def test_warnings_name_what_hides_or_leaves_out_splats(blender, scene):
    from addon.render.render_warnings import render_warnings

    blender.ops.pcgs.add_to_render()
    assert render_warnings(scene) == []
    scene.render.use_compositing = False
    scene.render.use_motion_blur = True
    scene.camera.data.dof.use_dof = True
    text = "\n".join(render_warnings(scene))
    assert "Compositing is off" in text
    assert "depth of field" in text
    assert "motion blur" in text


def test_gpu_probe_agrees_with_this_machine(blender, scene, tmp_path, monkeypatch):
    """The test itself needs a GPU context, so the probe must find one; and none without drivers."""
    import addon.render.gpu_probe as probe

    monkeypatch.setattr(probe, "_is_started", lambda: False)
    assert probe.gpu_is_there()
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(Path(tmp_path) / "none"))
        assert not probe.gpu_is_there()


def test_imported_splats_are_in_renders_unless_the_user_said_no(blender, scene, tmp_path):
    from addon.render.setup import is_added

    def import_ball():
        blender.ops.import_scene.pcgs(filepath=str(tmp_path / "ball.ply"))

    import_ball()
    assert is_added(scene)
    blender.ops.pcgs.remove_from_render()
    import_ball()
    assert not is_added(scene)
    blender.ops.pcgs.add_to_render()
    assert is_added(scene)


def test_import_leaves_a_compositor_alone_that_cannot_take_splats(blender, scene, tmp_path):
    from addon.render.setup import is_added

    make_tree(blender, scene).links.clear()
    assert blender.ops.import_scene.pcgs(filepath=str(tmp_path / "ball.ply")) == {"FINISHED"}
    assert not is_added(scene)
