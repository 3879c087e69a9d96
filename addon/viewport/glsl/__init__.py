"""Shader sources: one text for Blender 4.2 to 5.2, OpenGL, Vulkan and Metal."""
