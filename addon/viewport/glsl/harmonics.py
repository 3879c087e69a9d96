"""GLSL that evaluates the spherical harmonics of one splat, written out for a degree."""

from ..cloud_packing import COLOR_WIDTH, color_texels

__all__ = ["harmonics_source"]

# Real harmonics in the order and with the signs of 3DGS: pcgs_engine.splats.spherical_harmonics,
# which the tests hold this against.
_BASIS = (
    "0.28209479177387814",
    "-0.4886025119029199 * y",
    "0.4886025119029199 * z",
    "-0.4886025119029199 * x",
    "1.0925484305920792 * x * y",
    "-1.0925484305920792 * y * z",
    "0.31539156525252005 * (2.0 * z * z - x * x - y * y)",
    "-1.0925484305920792 * x * z",
    "0.5462742152960396 * (x * x - y * y)",
    "-0.5900435899266435 * y * (3.0 * x * x - y * y)",
    "2.890611442640554 * x * y * z",
    "-0.4570457994644658 * y * (4.0 * z * z - x * x - y * y)",
    "0.3731763325901154 * z * (2.0 * z * z - 3.0 * x * x - 3.0 * y * y)",
    "-0.4570457994644658 * x * (4.0 * z * z - x * x - y * y)",
    "1.445305721320277 * z * (x * x - y * y)",
    "-0.5900435899266435 * x * (x * x - 3.0 * y * y)",
)


def harmonics_source(degree: int) -> str:
    """Return `vec3 splat_color(int id, vec3 direction)`, which reads `color_tex`."""
    texels = color_texels(degree)
    lines = [
        "vec3 splat_color(int id, vec3 direction)",
        "{",
        f"  int first = id * {texels};",
        "  float x = direction.x, y = direction.y, z = direction.z;",
    ]
    for t in range(texels):
        at = f"ivec2((first + {t}) % {COLOR_WIDTH}, (first + {t}) / {COLOR_WIDTH})"
        lines.append(f"  vec4 t{t} = texelFetch(color_tex, {at}, 0);")
    lines.append("  vec3 color = vec3(0.5);")
    for k in range((degree + 1) ** 2):
        parts = [f"t{j // 4}.{'xyzw'[j % 4]}" for j in range(3 * k, 3 * k + 3)]
        lines.append(f"  color += {_BASIS[k]} * vec3({', '.join(parts)});")
    lines += ["  return max(color, vec3(0.0));", "}"]
    return "\n".join(lines)
