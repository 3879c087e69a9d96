"""Every task of the project, each in an environment of its own under .nox (docs/development.md).

The two commands that the README names: `nox -s demo` and `nox -s tests addon`.
"""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.sessions = ["tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True


@nox.session
def demo(session):
    """Train, encode, decode and show the embedded sample in demo_out/ (about ten minutes)."""
    session.install("-e", ".[train,native]")
    _build_native(session)
    session.run("pcgs", "demo", "--out", "demo_out", *session.posargs)


@nox.session
def tests(session):
    """Check style and types, then run every test; arguments after -- go to pytest."""
    session.install("-e", ".[train,cuda,torchac,native,dev]")
    _check_style(session)
    session.run("mypy")
    _build_native(session)
    session.run("pytest", *session.posargs)


@nox.session
def lint(session):
    """Check style and types only."""
    session.install("-e", ".[train,dev]")
    _check_style(session)
    session.run("mypy")


@nox.session
def fuzz(session):
    """Feed the decoder damaged files for long; arguments after -- go to tests/fuzz/long_fuzz.py."""
    session.install("-e", ".[train,native]")
    _build_native(session)
    options = session.posargs or ("--sanitize",)
    session.run("python", "tests/fuzz/long_fuzz.py", *options)


@nox.session
def native(session):
    """Build the decoder's C library for this machine, or with `-- --target all` for every one."""
    session.install("-e", ".[native]")
    _build_native(session)


@nox.session(python="3.11")
def addon(session):
    """Test the add-on and its zip in Blender 4.5 (the bpy module), without a screen.

    The wheels for the set-up of the engine (350 MB) are downloaded once, into build/wheels.
    """
    _test_in_bpy(session, "4.5.15")


@nox.session
@nox.parametrize(
    "python,bpy",
    [("3.11", "4.2.23"), ("3.11", "5.0.1"), ("3.13", "5.2.3")],
    ids=["4.2", "5.0", "5.2"],
)
def addon_versions(session, bpy):
    """The same in other Blenders; one of them by `nox -s "addon_versions(5.2)"`."""
    _test_in_bpy(session, bpy)


@nox.session(python="3.11")
def blender(session):
    """Drive real Blenders by mouse on a virtual screen (root, Debian; screenshots in build/).

    PCGS_BLENDER_GUI names a folder of Blenders made before; else they are made in build/blender.
    """
    session.install("-e", ".[train,native,dev]")
    screenshots = str(Path("build", "screenshots").resolve())
    environment = {**_gui_blenders(session, "trixie", "sid"), "PCGS_SCREENSHOTS": screenshots}
    _test_addon(session, "tests/blender", env=environment)


@nox.session(python="3.11")
def screenshots(session):
    """Make the pictures of the user guide anew, after `nox -s demo` (as `blender`)."""
    session.install("-e", ".[train,native,dev]")
    pictures = "tests/blender/user_guide_pictures.py"
    _test_addon(session, pictures, env=_gui_blenders(session, "trixie"))


def _gui_blenders(session, *suites):
    """Make the Blenders where none are given; returns the environment that names them."""
    given = os.environ.get("PCGS_BLENDER_GUI")
    roots = Path(given) if given else Path("build", "blender").resolve()
    for suite in () if given else suites:
        setup = ("bash", "tests/blender/gui/setup_blender.sh", suite, str(roots / suite))
        # sid moves and is broken on some days: its tests then skip with that reason.
        codes = [0] if suite == "trixie" else [*range(256)]
        session.run(*setup, external=True, success_codes=codes)
    return {"PCGS_BLENDER_GUI": str(roots)}


def _test_in_bpy(session, version):
    session.install("-e", ".[train,native,dev]", f"bpy=={version}")
    _build_native(session)
    wheels = {"PCGS_WHEEL_CACHE": str(Path("build", "wheels").resolve())}
    _test_addon(session, "tests/addon", "tests/blender", env=wheels)


def _test_addon(session, *folders, env=None):
    engine = {"PCGS_ENGINE_PYTHON": str(Path(session.bin, "python").absolute())}
    session.run("pytest", *folders, *session.posargs, env={**engine, **(env or {})})


def _check_style(session):
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


def _build_native(session):
    posargs = session.posargs if session.name.startswith("native") else ()
    session.run("python", "-m", "pcgs_engine.native.build", *posargs)
