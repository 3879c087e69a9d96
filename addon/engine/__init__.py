"""The engine process as Blender sees it: which Python, one job, its messages, its end."""
