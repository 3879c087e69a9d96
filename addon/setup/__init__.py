"""The engine's private environment: planned, made beside the one before, proved, put in place.

`plan` says what would happen, `SetupJob` does it in a thread; only session.py and registry.py are
bound to Blender. Nothing is downloaded before the user has agreed to the plan.
"""
