"""Objects and materials of the embedded sample scene, built in an empty Blender file.

In: nothing but the constants below. Out: `build_objects()` fills the current Blender scene with a
laid table in a round room; every surface carries a procedural texture, because splats need one.
Runs inside Blender (`bpy`); used by `render_sample.py` only.
"""

import math
from collections.abc import Sequence

import bpy

__all__ = ["build_objects"]

Color = tuple[float, float, float]
Vector = tuple[float, float, float]

TABLE_TOP = 0.80


def _ramp(
    tree: bpy.types.NodeTree, factor: bpy.types.NodeSocket, colors: Sequence[Color]
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeValToRGB")
    elements = node.color_ramp.elements
    for index, color in enumerate(colors):
        place = 0.3 + 0.4 * index / max(len(colors) - 1, 1)
        element = elements[index] if index < 2 else elements.new(place)
        element.position = place
        element.color = (*color, 1.0)
    tree.links.new(factor, node.inputs["Fac"])
    return node.outputs["Color"]


def _coordinates(tree: bpy.types.NodeTree, stretch: Vector) -> bpy.types.NodeSocket:
    source = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = stretch
    tree.links.new(source.outputs["Object"], mapping.inputs["Vector"])
    return mapping.outputs["Vector"]


def _texture(
    tree: bpy.types.NodeTree, pattern: str, colors: Sequence[Color], scale: float, stretch: Vector
) -> bpy.types.NodeSocket:
    """Return a colour socket: `noise`, `wood`, `stripes`, `cells`, `checker` or `brick`."""
    coordinates = _coordinates(tree, stretch)
    if pattern in ("checker", "brick"):
        node = tree.nodes.new(
            "ShaderNodeTexChecker" if pattern == "checker" else "ShaderNodeTexBrick"
        )
        for index, color in enumerate(colors):
            name = f"Color{index + 1}" if index < 2 else "Mortar"
            node.inputs[name].default_value = (*color, 1.0)
        output = node.outputs["Color"]
    elif pattern == "cells":
        node = tree.nodes.new("ShaderNodeTexVoronoi")
        node.inputs["Randomness"].default_value = 0.9
        output = _ramp(tree, node.outputs["Distance"], colors)
    elif pattern in ("wood", "stripes"):
        node = tree.nodes.new("ShaderNodeTexWave")
        node.bands_direction = "X" if pattern == "wood" else "Z"
        node.inputs["Distortion"].default_value = 6.0 if pattern == "wood" else 0.8
        node.inputs["Detail"].default_value = 3.0
        output = _ramp(tree, node.outputs["Fac"], colors)
    else:
        node = tree.nodes.new("ShaderNodeTexNoise")
        node.inputs["Detail"].default_value = 5.0
        output = _ramp(tree, node.outputs["Fac"], colors)
    node.inputs["Scale"].default_value = scale
    tree.links.new(coordinates, node.inputs["Vector"])
    return output


def _material(
    pattern: str,
    colors: Sequence[Color],
    *,
    scale: float = 5.0,
    stretch: Vector = (1.0, 1.0, 1.0),
    roughness: float = 0.7,
    metallic: float = 0.0,
) -> bpy.types.Material:
    material = bpy.data.materials.new(pattern)
    material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    color = _texture(tree, pattern, colors, scale, stretch)
    tree.links.new(color, shader.inputs["Base Color"])
    return material


def _finish(
    name: str, material: bpy.types.Material, *, smooth: bool = False, bevel: float = 0.0
) -> bpy.types.Object:
    item = bpy.context.object
    item.name = name
    item.data.materials.clear()
    item.data.materials.append(material)
    if bevel > 0.0:
        modifier = item.modifiers.new("bevel", "BEVEL")
        modifier.width = bevel
        modifier.segments = 3
    if smooth:
        bpy.ops.object.shade_smooth()
    return item


def _room() -> None:
    bpy.ops.mesh.primitive_circle_add(vertices=96, radius=4.2, fill_type="NGON")
    tiles = ((0.42, 0.20, 0.13), (0.55, 0.30, 0.18), (0.75, 0.70, 0.62))
    _finish("floor", _material("brick", tiles, scale=1.6, roughness=0.6))
    bpy.ops.mesh.primitive_circle_add(
        vertices=96, radius=1.7, fill_type="NGON", location=(0, 0, 0.01)
    )
    rug = ((0.05, 0.12, 0.30), (0.75, 0.62, 0.35), (0.40, 0.05, 0.07))
    _finish("rug", _material("cells", rug, scale=4.0, roughness=0.95))
    bpy.ops.mesh.primitive_cylinder_add(
        vertices=96, radius=4.2, depth=3.4, end_fill_type="NOTHING", location=(0, 0, 1.7)
    )
    wall = ((0.10, 0.22, 0.26), (0.32, 0.47, 0.44), (0.80, 0.74, 0.55), (0.62, 0.33, 0.20))
    _finish("wall", _material("noise", wall, scale=1.3, roughness=0.9), smooth=True)
    for index in range(10):
        angle = math.tau * (index + 0.35) / 10
        place = (4.1 * math.cos(angle), 4.1 * math.sin(angle), 1.5 + 0.15 * math.sin(3 * angle))
        bpy.ops.mesh.primitive_cube_add(size=1.0, location=place, rotation=(0, 0, angle))
        width = 0.9 + 0.3 * math.cos(5 * angle)
        bpy.context.object.scale = (0.06, width, 0.8 + 0.3 * math.sin(2 * angle))
        hue = [(0.7, 0.15, 0.1), (0.9, 0.7, 0.2), (0.1, 0.3, 0.5), (0.15, 0.4, 0.2)]
        colors = (hue[index % 4], (0.92, 0.88, 0.78), hue[(index + 1) % 4])
        pattern = ("cells", "stripes", "noise", "checker")[index % 4]
        count = 2 if pattern == "checker" else 3
        _finish(f"picture {index}", _material(pattern, colors[:count], scale=3.0))


def _table() -> None:
    grain = ((0.20, 0.09, 0.035), (0.36, 0.18, 0.075), (0.52, 0.30, 0.14))
    wood = _material("wood", grain, scale=1.6, stretch=(2.2, 0.5, 1.0), roughness=0.45)
    bpy.ops.mesh.primitive_cylinder_add(
        vertices=96, radius=1.1, depth=0.07, location=(0, 0, TABLE_TOP - 0.035)
    )
    _finish("table top", wood, bevel=0.015)
    bpy.ops.mesh.primitive_cylinder_add(vertices=32, radius=0.12, depth=0.70, location=(0, 0, 0.38))
    _finish("table leg", wood)
    bpy.ops.mesh.primitive_cone_add(
        vertices=48, radius1=0.5, radius2=0.12, depth=0.1, location=(0, 0, 0.06)
    )
    _finish("table foot", wood)


def _monkey() -> None:
    bpy.ops.mesh.primitive_monkey_add(
        size=0.62, location=(0.02, 0.05, TABLE_TOP + 0.29), rotation=(-0.30, 0.0, 0.5)
    )
    modifier = bpy.context.object.modifiers.new("subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = 2
    glaze = ((0.05, 0.25, 0.28), (0.12, 0.50, 0.46), (0.85, 0.80, 0.60))
    _finish("monkey", _material("noise", glaze, scale=7.0, roughness=0.35), smooth=True)


def _round_things() -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(
        segments=64, ring_count=32, radius=0.17, location=(0.60, -0.28, TABLE_TOP + 0.17)
    )
    copper = ((0.85, 0.45, 0.25), (0.95, 0.62, 0.40), (0.70, 0.30, 0.15))
    _finish(
        "sphere", _material("noise", copper, scale=5.0, roughness=0.32, metallic=0.9), smooth=True
    )
    bpy.ops.mesh.primitive_torus_add(
        major_radius=0.17,
        minor_radius=0.065,
        major_segments=64,
        minor_segments=24,
        location=(-0.52, -0.42, TABLE_TOP + 0.065),
    )
    icing = ((0.75, 0.16, 0.30), (0.95, 0.80, 0.72), (0.45, 0.20, 0.08))
    _finish("ring", _material("cells", icing, scale=16.0, roughness=0.4), smooth=True)
    bpy.ops.mesh.primitive_cone_add(
        vertices=72, radius1=0.2, radius2=0.0, depth=0.46, location=(-0.55, 0.38, TABLE_TOP + 0.23)
    )
    cone = bpy.context.object
    for vertex in cone.data.vertices:  # folds of cloth: the rim waves in and out
        angle = math.atan2(vertex.co.y, vertex.co.x)
        swell = 1.0 + 0.16 * math.cos(9.0 * angle)
        vertex.co.x *= swell
        vertex.co.y *= swell
    cloth = ((0.55, 0.06, 0.08), (0.90, 0.82, 0.66))
    _finish("cone", _material("stripes", cloth, scale=9.0, roughness=0.95))


def _boxes() -> None:
    bricks = ((0.60, 0.20, 0.12), (0.42, 0.13, 0.08), (0.80, 0.76, 0.70))
    bpy.ops.mesh.primitive_cube_add(
        size=0.26, location=(0.45, 0.50, TABLE_TOP + 0.13), rotation=(0, 0, 0.6)
    )
    _finish("box", _material("cells", bricks, scale=14.0, roughness=0.6), bevel=0.01)
    covers = ((0.10, 0.18, 0.42), (0.12, 0.36, 0.20), (0.62, 0.42, 0.08))
    for index, cover in enumerate(covers):
        height = TABLE_TOP + 0.03 + 0.06 * index
        bpy.ops.mesh.primitive_cube_add(
            size=1.0, location=(0.05, -0.68, height), rotation=(0, 0, 0.15 + 0.35 * index)
        )
        bpy.context.object.scale = (0.36 - 0.04 * index, 0.25, 0.056)
        pages = (cover, tuple(min(1.0, 2.2 * c + 0.1) for c in cover), (0.88, 0.84, 0.74))
        _finish(f"book {index}", _material("noise", pages, scale=4.0 + 2.0 * index), bevel=0.006)
    tiles = ((0.02, 0.02, 0.025), (0.85, 0.84, 0.80))
    bpy.ops.mesh.primitive_cylinder_add(
        vertices=64, radius=0.09, depth=0.24, location=(0.10, 0.66, TABLE_TOP + 0.12)
    )
    _finish("cup", _material("checker", tiles, scale=16.0, roughness=0.3), bevel=0.012)


def _lights() -> None:
    bpy.ops.object.light_add(type="AREA", location=(0.8, -0.6, 3.3))
    lamp = bpy.context.object.data
    lamp.shape, lamp.size, lamp.energy, lamp.color = "DISK", 2.4, 110.0, (1.0, 0.93, 0.82)
    bpy.ops.object.light_add(type="AREA", location=(-2.0, 1.6, 3.2), rotation=(0.3, -0.5, 0.0))
    fill = bpy.context.object.data
    fill.shape, fill.size, fill.energy, fill.color = "DISK", 1.6, 45.0, (0.75, 0.85, 1.0)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.45, 0.55, 0.70, 1.0)
    background.inputs["Strength"].default_value = 0.25
    bpy.context.scene.world = world


def build_objects() -> None:
    """Empty the current Blender file and build the table, its things, the room and the lights."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _room()
    _table()
    _monkey()
    _round_things()
    _boxes()
    _lights()
