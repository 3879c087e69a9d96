"""Words for programs that run inside Blender (`BpyUser.session`): install, look, compare."""

import contextlib
import sys
import threading
import zlib
from pathlib import Path

import bpy

__all__ = [
    "MODULE", "Traces", "blender_says", "decoded", "disable", "enable", "enabled", "install",
    "library_maps", "module", "our_modules", "remove", "slide", "splat_object",
]  # fmt: skip

MODULE = "bl_ext.user_default.pcgs"


def install(path):
    """Install and enable a zip as Install from Disk does."""
    return bpy.ops.extensions.package_install_files(
        filepath=str(path), repo="user_default", enable_on_install=True
    )


def blender_says(operator, *arguments, **options):
    """Run what must fail with a report; returns the report."""
    try:
        result = operator(*arguments, **options)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"no error, {result}")


def enable():
    """Tick the add-on's box."""
    return bpy.ops.preferences.addon_enable(module=MODULE)


def disable():
    """Take the tick away."""
    return bpy.ops.preferences.addon_disable(module=MODULE)


def enabled():
    """Whether Blender has the add-on running."""
    return MODULE in bpy.context.preferences.addons and MODULE in sys.modules


def remove():
    """Uninstall."""
    modules = [repo.module for repo in bpy.context.preferences.extensions.repos]
    return bpy.ops.extensions.package_uninstall(
        repo_index=modules.index("user_default"), pkg_id="pcgs"
    )


def module(name):
    """Return a module of the add-on."""
    return sys.modules[f"{MODULE}.{name}"]


def our_modules():
    """Return the names of all modules of add-on and engine."""
    ours = (MODULE, "pcgs_engine")
    return sorted(n for n in sys.modules if n in ours or n.startswith(tuple(f"{o}." for o in ours)))


def library_maps():
    """Return the files of the decoder's library that are loaded now; Linux only."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_text().splitlines()
        return {line.split(maxsplit=5)[5] for line in lines if "pcgs_coder" in line}
    return set()


def splat_object():
    """Return the scene's splat object."""
    return next(obj for obj in bpy.data.objects if obj.type == "MESH" and obj.pcgs.is_splats)


def decoded(obj):
    """Wait until an object's file is read; returns its levels."""
    file = module("objects.file_of_object").file_of_object(obj)
    assert file.wait(seconds=60), file.message
    return file.levels_ready


def slide(obj):
    """Move the slider over all levels; returns a digest of the splats each shows."""
    file = module("objects.file_of_object").file_of_object(obj)
    digests = []
    for level in range(1, decoded(obj) + 1):
        obj.pcgs.level = level
        assert obj.pcgs.level == level
        cloud = file.cloud(obj.pcgs.level)
        digests.append(zlib.crc32(cloud.sh.tobytes() + cloud.scales.tobytes()))
    return digests


class Traces:
    """What an add-on can leave in a session of Blender; two of them are compared."""

    def __init__(self):
        handlers = {n: getattr(bpy.app.handlers, n) for n in dir(bpy.app.handlers)}
        self.handlers = {n: len(x) for n, x in handlers.items() if isinstance(x, list)}
        self.types = {name for name in dir(bpy.types) if "pcgs" in name.lower()}
        self.properties = {
            cls.__name__ for cls in (bpy.types.Scene, bpy.types.Object, bpy.types.Mesh)
            if hasattr(cls, "pcgs")
        }  # fmt: skip
        menus = (
            bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export,
            bpy.types.STATUSBAR_HT_header,
        )  # fmt: skip
        drawn = [f for menu in menus for f in getattr(menu.draw, "_draw_funcs", ())]
        self.menus = [f.__module__ for f in drawn if "pcgs" in f.__module__]
        configuration = bpy.context.window_manager.keyconfigs.addon
        maps = configuration.keymaps if configuration else ()
        self.keys = sum(len(keymap.keymap_items) for keymap in maps)
        self.modules = our_modules()
        self.threads = sorted(t.name for t in threading.enumerate() if "pcgs" in t.name)
        self.library = library_maps()

    def differences(self, other):
        """Return what differs, in words; empty: nothing."""
        pairs = ((name, value, getattr(other, name)) for name, value in vars(self).items())
        return [f"{name}: {a} is now {b}" for name, a, b in pairs if a != b]
