"""Compute shader: the splats of one object to records, what the picture needs of each.

One record is one texel in each of three textures, at the splat's place in the whole view:

    record_place   x, y, depth in normalized device coordinates; opacity (0 = not drawn)
    record_axes    the ellipse's two axes out to its rim, in device coordinates
    record_color   colour; reach of the rim in standard deviations

Same formulas and constants as pcgs_engine.kernels.projection (which follows gsplat).
"""

from ..cloud_packing import RECORD_WIDTH
from .harmonics import harmonics_source

__all__ = ["GROUP_SIZE", "NEAR_PLANE", "VIEW_STRUCT", "projection_source"]

GROUP_SIZE = 64
NEAR_PLANE = 0.2
"""Nearest depth drawn in perspective, in units of the object's space (3DGS)."""
FOV_MARGIN = 0.3
"""How far beyond the picture the Jacobian follows a direction, in tan(half fov) (gsplat)."""

VIEW_STRUCT = """
struct PcgsView {
  mat4 model_view;
  mat4 projection;
  vec4 focal;    /* focal lengths and picture size in pixels */
  vec4 limits;   /* least and greatest x / depth, y / depth that the Jacobian follows */
  vec4 eye;      /* perspective: eye in object space; orthographic: view direction there */
  vec4 counts;   /* splats, first record, texels per row of groups, 1 if orthographic */
  vec4 units;    /* scale unit, near plane */
};
"""

_BODY = """
void main()
{
  int id = int(gl_GlobalInvocationID.x + gl_GlobalInvocationID.y * uint(u.counts.z));
  if (id >= int(u.counts.x)) {
    return;
  }
  ivec2 at = ivec2(id % RECORD_WIDTH, id / RECORD_WIDTH);
  int slot = id + int(u.counts.y);
  ivec2 to = ivec2(slot % RECORD_WIDTH, slot / RECORD_WIDTH);
  vec4 place = vec4(0.0);
  vec4 axes = vec4(0.0);
  vec4 color = vec4(0.0);
  vec4 mean = texelFetch(position_tex, at, 0);
  vec4 cam = u.model_view * vec4(mean.xyz, 1.0);
  bool is_ortho = u.counts.w > 0.5;
  float depth = -cam.z;
  if ((is_ortho || depth >= u.units.y) && mean.w * 255.0 >= 1.0) {
    vec4 q = texelFetch(rotation_tex, at, 0);
    vec3 scale = texelFetch(scale_tex, at, 0).xyz * u.units.x;
    mat3 rotation = mat3(
        vec3(1.0 - 2.0 * (q.z * q.z + q.w * q.w), 2.0 * (q.y * q.z + q.x * q.w),
             2.0 * (q.y * q.w - q.x * q.z)),
        vec3(2.0 * (q.y * q.z - q.x * q.w), 1.0 - 2.0 * (q.y * q.y + q.w * q.w),
             2.0 * (q.z * q.w + q.x * q.y)),
        vec3(2.0 * (q.y * q.w + q.x * q.z), 2.0 * (q.z * q.w - q.x * q.y),
             1.0 - 2.0 * (q.y * q.y + q.z * q.z)));
    mat3 shape = mat3(u.model_view[0].xyz, u.model_view[1].xyz, u.model_view[2].xyz) * rotation;
    float inverse = is_ortho ? 1.0 : 1.0 / depth;
    vec2 tilt = is_ortho ? vec2(0.0)
                         : vec2(clamp(cam.x * inverse, u.limits.x, u.limits.y),
                                clamp(cam.y * inverse, u.limits.z, u.limits.w));
    vec2 f = u.focal.xy * inverse;
    vec3 a = (vec3(f.x, 0.0, f.x * tilt.x) * shape) * scale;
    vec3 b = (vec3(0.0, f.y, f.y * tilt.y) * shape) * scale;
    float xx = dot(a, a) + 0.3;
    float xy = dot(a, b);
    float yy = dot(b, b) + 0.3;
    float radius = length(vec2(0.5 * (xx - yy), xy));
    float major = 0.5 * (xx + yy) + radius;
    float minor = max((xx * yy - xy * xy) / major, 0.0);
    /* The eigenvector from whichever form does not cancel. */
    vec2 e = xx >= yy ? vec2(0.5 * (xx - yy) + radius, xy) : vec2(xy, 0.5 * (yy - xx) + radius);
    float e_length = length(e);
    e = e_length > 0.0 ? e / e_length : vec2(1.0, 0.0);
    float reach = min(sqrt(2.0 * log(mean.w * 255.0)), 3.33);
    vec2 to_ndc = vec2(2.0) / u.focal.zw;
    vec2 axis_a = e * (sqrt(major) * reach) * to_ndc;
    vec2 axis_b = vec2(-e.y, e.x) * (sqrt(minor) * reach) * to_ndc;
    vec4 clip = u.projection * cam;
    vec3 ndc = clip.xyz / clip.w;
    vec2 extent = sqrt(axis_a * axis_a + axis_b * axis_b);
    if (all(lessThan(abs(ndc.xy), vec2(1.0) + extent)) && abs(ndc.z) <= 1.0) {
      vec3 direction = is_ortho ? u.eye.xyz : mean.xyz - u.eye.xyz;
      place = vec4(ndc, mean.w);
      axes = vec4(axis_a, axis_b);
      color = vec4(splat_color(id, normalize(direction)), reach);
    }
  }
  imageStore(record_place, to, place);
  imageStore(record_axes, to, axes);
  imageStore(record_color, to, color);
}
"""


def projection_source(degree: int) -> str:
    """Return the compute shader for clouds of a degree."""
    defines = f"#define RECORD_WIDTH {RECORD_WIDTH}\n"
    return defines + harmonics_source(degree) + _BODY
