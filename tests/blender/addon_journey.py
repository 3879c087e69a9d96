"""Words for the steps a user takes, on top of `GuiBlender`: install, look, train, slide."""

import time
from collections.abc import Iterator
from pathlib import Path

from gui_blender import GuiBlender

__all__ = ["MODULE", "Journey", "running_engines", "training_values"]

MODULE = "bl_ext.user_default.pcgs"
TINY = {"iterations": 150, "max_size": 100, "levels": 3, "preview_seconds": 1}
TRAINING_SECONDS = 400.0
FIRST_STEPS_SECONDS = 400.0
"""The engine of a fresh install compiles its kernels: half a minute, on a busy machine five."""
NAMES_INSIDE = f"""
import sys
addon = sys.modules["{MODULE}"]
engine = sys.modules["{MODULE}.engine.registry"].engine_registry
files = sys.modules["{MODULE}.files"].splat_files
settings = bpy.context.preferences.addons["{MODULE}"].preferences
def splats():
    return [o for o in bpy.data.objects if o.type == "MESH" and o.pcgs.is_splats]
def job_stage():
    return engine.job.state.stage.name if engine.job else ""
def job_iteration():
    progress = engine.job.state.progress if engine.job else None
    return progress.iteration if progress else 0
"""


class Journey:
    """A user's session: Blender, the zip, an engine's Python and a folder for pictures."""

    def __init__(
        self, blender: GuiBlender, addon_zip: Path, engine_python: Path, pictures: Path
    ) -> None:
        self.blender = blender
        self.engine_python = engine_python
        self.pictures = pictures
        self.zip = blender.work / addon_zip.name
        self.zip.write_bytes(addon_zip.read_bytes())

    def install(self) -> None:
        """Install and enable the zip as Install from Disk does."""
        call = f"bpy.ops.extensions.package_install_files(filepath={str(self.zip)!r}, "
        call += "repo='user_default', enable_on_install=True)"
        assert "FINISHED" in self.blender.python(f"print({call})")
        self.blender.python(NAMES_INSIDE)

    def choose_engine(self, cache_folder: str = "") -> None:
        """Fill in the preferences; without a cache folder runs lie where Blender puts them."""
        self.blender.python(
            f"settings.engine_python = {str(self.engine_python)!r}\n"
            "settings.device = 'cpu'\nsettings.threads = 2\n"
            f"settings.cache_folder = {cache_folder!r}"
        )

    def clear_scene(self) -> None:
        """Delete the default cube; the camera and the light stay."""
        self.blender.python("bpy.data.objects.remove(bpy.data.objects['Cube'])")

    def choose_sample(self) -> None:
        """Press Use the Sample and wait until it is read."""
        blender = self.blender
        for _ in range(3):
            blender.click(blender.find("pcgs.use_sample"))
            if blender.value("bool(bpy.context.scene.pcgs.image_folder)"):
                break
        blender.wait("engine.scan is not None or engine.scan_error", 120)

    def set_tiny(self, **changes: int) -> None:
        """Make the training short."""
        for name, value in {**TINY, **changes}.items():
            self.blender.python(f"bpy.context.scene.pcgs.{name} = {value}")
        self.blender.settle()

    def press_train(self) -> None:
        """Press Train with the mouse; a click lost by a busy machine is tried again."""
        blender = self.blender
        for _ in range(3):
            blender.click(blender.find("pcgs.train"))
            if blender.value("engine.job is not None"):
                return
        raise AssertionError("Train was pressed three times and no job started")

    def wait_for_end(self) -> str:
        """Wait until the job has ended; returns its stage."""
        self.blender.wait("engine.running_job is None", TRAINING_SECONDS)
        return str(self.blender.value("job_stage()"))

    def decoded(self) -> None:
        """Wait until every file is read as far as it goes."""
        self.blender.wait("not any(f.state.working for f in files)", 60)
        self.blender.settle(6)

    def show(self, name: str) -> None:
        """Keep a screenshot under a step's name."""
        self.blender.screenshot(self.pictures / f"{name}.png")

    def view(self, name: str) -> str:
        """Photograph the 3D View's main region; returns the picture's path inside."""
        blender = self.blender
        blender.settle(4)
        time.sleep(0.3)  # a sorter thread may still hand in its order
        blender.settle(4)
        expression = "[getattr(view3d()[2], n) for n in ('x', 'y', 'width', 'height')]"
        x, y, width, height = blender.value(expression)  # type: ignore[misc]
        # Without header, gizmos and the sidebar that lie over it.
        crop = f"{width - 420}x{height - 100}+{x + 60}+{900 - y - height + 80}"
        path = f"{blender.work}/{name}.png"
        blender.shell(f"import -window root -crop {crop} +repage {path}")
        return path

    def differing_pixels(self, first: str, second: str) -> int:
        """Return how many pixels of two views differ by more than 2 %."""
        command = f"compare -metric AE -fuzz 2% {first} {second} null: 2>&1 || test $? = 1"
        return int(float(self.blender.shell(command).split()[0]))

    def set_level(self, level: int, prop: str = "pcgs.level") -> None:
        """Type a level into the slider, as a user does: double click, the number, Return."""
        blender = self.blender
        for _ in range(3):
            blender.click(blender.find(prop))
            blender.key("ctrl+a")
            blender.type(str(level))
            blender.key("Return")
            if blender.value("bpy.context.object.pcgs.level") == level:
                return
        raise AssertionError(f"the slider does not take {level}")

    def faults(self) -> list[str]:
        """Return the lines of Blender's log that no user should ever see."""
        bad = ("Traceback", "Error:", "EXCEPTION", "GPUShader", "leaked")
        return [line for line in self.blender.log.splitlines() if any(b in line for b in bad)]


def training_values(journey: Journey, seconds: float = FIRST_STEPS_SECONDS) -> Iterator[int]:
    """Yield the iterations the panel shows until the training ends."""
    end = time.monotonic() + seconds
    last = -1
    while time.monotonic() < end:
        stage = journey.blender.value("job_stage()")
        if stage not in ("CHECKING", "TRAINING"):
            return
        value = int(str(journey.blender.value("job_iteration()")))
        if value != last:
            last = value
            yield value
        time.sleep(0.1)


def running_engines(blender: GuiBlender) -> list[str]:
    """Return the command lines of engine processes beside Blender."""
    every = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null; echo; done; true"
    return [line for line in blender.shell(every).splitlines() if "run_engine.py" in line]
