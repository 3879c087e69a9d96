"""Build the extension zips: `python build_addon.py`, a checkout in, dist/ out.

  python build_addon.py                        viewer zips of every platform
  python build_addon.py --flavour engine       with the wheels that training needs
  python build_addon.py lock                   refresh wheels.lock, engine.lock, docs/third-party.md
  python build_addon.py gsplat --torch ...     compile gsplat for NVIDIA GPUs

Everything is made in a scratch folder under `build/`; the tree stays as it is, and the same
checkout gives the same bytes. Needs Python 3.11 or newer with pip and venv, and a package index
(the C compiler comes from it too).
"""

import argparse
import hashlib
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.addon_zip.engine_lock import PYTHONS, refresh_engine_lock
from tools.addon_zip.extension_zip import BuildFolders, BuiltZip, Flavour, ZipTarget, build_zip
from tools.addon_zip.gsplat_wheel import GsplatWheel, build_gsplat_wheel, checked_tools
from tools.addon_zip.platforms import PLATFORMS, Platform, host_platform, platform_named
from tools.addon_zip.resolver import PLATFORMS as TRAINING_PLATFORMS
from tools.addon_zip.resolver import Resolver
from tools.addon_zip.third_party_page import refresh_page
from tools.addon_zip.training_wheels import UncheckedSource
from tools.addon_zip.validator import Validator, find_validator
from tools.addon_zip.wheel_lock import locked_source, read_lock, refresh_lock

REPOSITORY = Path(__file__).resolve().parent
ACTIONS = ("zip", "lock", "gsplat")
LOG = logging.getLogger("build_addon")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in ACTIONS and given[0] not in ("-h", "--help")):
        given = ["zip", *given]
    options = _parser().parse_args(given)
    try:
        options.build.mkdir(parents=True, exist_ok=True)
        options.run(options)
    except OSError as error:
        LOG.error("build_addon: %s", _told(error))  # noqa: TRY400 - one line, no traceback
        return 1
    except (ValueError, KeyError, subprocess.CalledProcessError) as error:
        LOG.error("build_addon: %s", error)  # noqa: TRY400
        return 1
    return 0


def make_zips(options: argparse.Namespace) -> None:
    """Build, list and validate the zips that the options name."""
    folders = BuildFolders(
        repository=REPOSITORY,
        output=options.output,
        build=options.build,
        wheels=tuple(options.wheels),
    )
    source = UncheckedSource(accepted=options.accept_unchecked, index=options.torch_index)
    validator = find_validator(options.blender)
    built = []
    for target in _targets(options):
        made = build_zip(target, folders, source)
        _report(made)
        if validator is not None:
            validator.validate(made.path)
        built.append(made)
    _summarize(built, validator)


def make_locks(options: argparse.Namespace) -> None:
    """Refresh everything that is pinned by hash, and the page that names it."""
    resolver = Resolver(options.build)
    for wheel in refresh_lock(REPOSITORY, resolver):
        LOG.info("%s", wheel.line)
    LOG.info("%d lines in engine.lock", len(refresh_engine_lock(REPOSITORY, resolver)))
    LOG.info("%s", refresh_page(REPOSITORY, options.build))


def make_gsplat(options: argparse.Namespace) -> None:
    """Compile gsplat."""
    wanted = GsplatWheel(torch=options.torch, cuda=options.cuda, architectures=tuple(options.arch))
    tools = checked_tools(wanted, options.python, options.cuda_home)
    source = locked_source(read_lock(REPOSITORY / "wheels" / "wheels.lock"), "gsplat")
    LOG.info("compiling gsplat %s+%s, minutes for each GPU", source.version, wanted.label)
    cache = options.build / "wheels"
    path = build_gsplat_wheel(wanted, source, tools, options.output, cache, options.jobs)
    LOG.info("%s: %d bytes", path, path.stat().st_size)
    LOG.info("lay it into the folder of wheels that Set Up Engine installs from")


def _report(built: BuiltZip) -> None:
    """Log what a zip holds, its size and its hash."""
    with zipfile.ZipFile(built.path) as archive:
        for entry in archive.infolist():
            LOG.info("%10d  %s", entry.file_size, entry.filename)
    with built.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    LOG.info("%s: %d bytes, sha256 %s", built.path, built.path.stat().st_size, digest)
    if built.note:
        LOG.info("%s", built.note)


def _summarize(built: Sequence[BuiltZip], validator: Validator | None) -> None:
    LOG.info("")
    for made in built:
        LOG.info("%11d  %s", made.path.stat().st_size, made.path.name)
        for wheel in made.unchecked:
            LOG.info("             NOT CHECKED, no hash is known: %s", wheel.name)
    if validator is not None:
        LOG.info("every zip validated by %s", validator.name)
        return
    LOG.info(
        "checked by our own rules for manifest and wheels, not by Blender: none is here. Name one "
        "with --blender (a Blender, or a Python with `pip install bpy`) to validate"
    )


def _targets(options: argparse.Namespace) -> Iterator[ZipTarget]:
    flavour = Flavour(options.flavour)
    for platform in _platforms(options.platform, flavour):
        if flavour is Flavour.VIEWER:
            yield ZipTarget(platform=platform, flavour=flavour, python="")
        else:
            for python in PYTHONS if options.python == "all" else (options.python,):
                yield ZipTarget(platform=platform, flavour=flavour, python=python)


def _platforms(name: str, flavour: Flavour) -> list[Platform]:
    if name == "all":
        trains = flavour is Flavour.VIEWER
        return [p for p in PLATFORMS if trains or p.name in TRAINING_PLATFORMS]
    return [host_platform() if name == "host" else platform_named(name)]


def _told(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or str(error)
    return (
        f"{where}{reason}; free space, or choose folders that can be written with --output and "
        "--build"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build_addon.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    actions = parser.add_subparsers(required=True, metavar="zip|lock|gsplat")
    _zip_options(actions.add_parser("zip", help="build zips (the default)"))
    _action(actions.add_parser("lock", help="refresh the locks"), make_locks)
    _gsplat_options(actions.add_parser("gsplat", help="compile gsplat"))
    return parser


def _action(parser: argparse.ArgumentParser, run: object) -> None:
    parser.set_defaults(run=run)
    parser.add_argument("--build", type=_folder, default=REPOSITORY / "build", metavar="DIR")


def _zip_options(parser: argparse.ArgumentParser) -> None:
    _action(parser, make_zips)
    names = [platform.name for platform in PLATFORMS]
    add = parser.add_argument
    add("--flavour", choices=[flavour.value for flavour in Flavour], default="viewer")
    add("--platform", choices=["all", "host", *names], default="all")
    add("--python", choices=["all", *PYTHONS], default="all", help="of --flavour engine")
    add("--output", type=_folder, default=REPOSITORY / "dist", metavar="DIR")
    add(
        "--wheels", type=_folder, action="append", default=[], metavar="DIR",
        help="folder of wheels to look through before downloading; may be repeated",
    )  # fmt: skip
    add("--accept-unchecked", action="store_true", help="take torch's CPU build without a hash")
    add("--torch-index", default="", metavar="ADDRESS", help="index that has torch's CPU build")
    add("--blender", type=Path, metavar="FILE", help="Blender, or Python with bpy, to validate")


def _gsplat_options(parser: argparse.ArgumentParser) -> None:
    _action(parser, make_gsplat)
    add = parser.add_argument
    add("--torch", required=True, metavar="VERSION", help="for example 2.13.0")
    add("--cuda", required=True, metavar="VERSION", help="that torch is built with, as 13.0")
    add("--arch", required=True, nargs="+", metavar="CAPABILITY", help="of the GPUs, as 8.6 9.0")
    add("--python", default=sys.executable, metavar="FILE", help="Python that has this torch")
    add("--cuda-home", type=_folder, metavar="DIR", help="folder of NVIDIA's CUDA Toolkit")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="compilers at a time")
    add("--output", type=_folder, default=REPOSITORY / "dist", metavar="DIR")


def _folder(text: str) -> Path:
    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
