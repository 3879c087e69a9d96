"""Shaders that draw records: one triangle around each ellipse, back to front.

A triangle costs a software rasterizer half of what a quad's two do, and no GPU draws the diagonal
twice. Corners lie at twice the rim's distance from the centre, so the rim's circle just fits.
"""

from ..cloud_packing import RECORD_WIDTH

__all__ = ["FRAGMENT", "SPLATS_PER_INSTANCE", "vertex_source"]

SPLATS_PER_INSTANCE = 1024
"""Splats in a drawn instance: instances of three vertices would cost more than the splats."""

_VERTEX = """
void main()
{
  int rank = gl_InstanceID * SPLATS_PER_INSTANCE + int(corner.z);
  local = vec2(0.0);
  tint = vec4(0.0);
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  if (rank < splat_count) {
    int id = int(texelFetch(order_tex, ivec2(rank % RECORD_WIDTH, rank / RECORD_WIDTH), 0).r);
    ivec2 at = ivec2(id % RECORD_WIDTH, id / RECORD_WIDTH);
    vec4 place = texelFetch(record_place, at, 0);
    if (place.w > 0.0) {
      vec4 axes = texelFetch(record_axes, at, 0);
      vec4 color = texelFetch(record_color, at, 0);
      local = corner.xy * color.w;
      TINT
      gl_Position = vec4(place.xy + corner.x * axes.xy + corner.y * axes.zw, place.z, 1.0);
    }
  }
}
"""

_COLOR_TINT = "tint = vec4(color.rgb, place.w);"

_DEPTH_TINT = """
      float view_depth = depth_terms.w > 0.5
          ? (place.z - depth_terms.y) / depth_terms.x
          : depth_terms.y / (place.z + depth_terms.x);
      tint = vec4(view_depth, 0.0, 0.0, place.w);"""

FRAGMENT = """
void main()
{
  float weight = min(tint.a * exp(-0.5 * dot(local, local)), 0.999);
  if (weight < 0.00392156862745098) {
    discard;
  }
  out_color = vec4(tint.rgb * weight, weight);
}
"""


def vertex_source(*, depth: bool) -> str:
    """Return the vertex shader; with `depth` the red channel carries the view depth."""
    defines = (
        f"#define RECORD_WIDTH {RECORD_WIDTH}\n#define SPLATS_PER_INSTANCE {SPLATS_PER_INSTANCE}\n"
    )
    return defines + _VERTEX.replace("TINT", _DEPTH_TINT if depth else _COLOR_TINT)
