"""Shaders that put the finished picture over what Blender drew.

In: our picture, premultiplied, sRGB values as trained. Out: linear light, premultiplied, since the
viewport's target encodes sRGB itself and blends in linear light.
"""

__all__ = ["FRAGMENT", "VERTEX"]

VERTEX = """
void main()
{
  vec2 at = mix(area.xy, area.zw, corner.xy * 0.5 + 0.5);
  uv = at;
  gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
}
"""

FRAGMENT = """
float to_linear(float value)
{
  return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

void main()
{
  ivec2 size = textureSize(picture_tex, 0);
  vec4 picture = texelFetch(picture_tex, min(ivec2(uv * vec2(size)), size - ivec2(1)), 0);
  if (picture.a <= 0.0) {
    discard;
  }
  /* Only a colour divided by its alpha can be converted: the product would darken rims. */
  vec3 color = min(picture.rgb / picture.a, vec3(1.0));
  float alpha = min(picture.a, 1.0);
  out_color = vec4(to_linear(color.r), to_linear(color.g), to_linear(color.b), 1.0) * alpha;
}
"""
