"""`--device` and `--threads` in, a rasterizer that works here out."""

import argparse

from .. import __version__
from ..protocol import Started, Status
from ..render.cuda_backend import DeviceChoice
from ..render.rasterizer import Rasterizer
from ..render.select import choose_rasterizer
from .console import Console

__all__ = ["start_job"]


def start_job(job: str, args: argparse.Namespace, console: Console) -> Rasterizer:
    """Choose the rasterizer and announce the job and the choice.

    Raises:
        DeviceError: the device asked for does not work here.
    """
    choice = choose_rasterizer(DeviceChoice(args.device), args.threads)
    rasterizer = choice.rasterizer
    console.message(
        Started(
            job=job,
            version=__version__,
            backend=rasterizer.name,
            device=str(rasterizer.device),
        )
    )
    console.message(Status(text=f"rasterizer: {rasterizer.name} ({choice.reason})"))
    return rasterizer
