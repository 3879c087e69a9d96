"""What pip printed when it failed in, one sentence with the next step out."""

import re

from .engine_lock import LockedPackage
from .plan import SetupPlan
from .torch_build import UncheckedWheel

__all__ = ["pip_failure"]

UNREACHABLE = (
    "Retrying (Retry", "Could not fetch URL", "ConnectionError", "Connection aborted",
    "Read timed out", "NewConnectionError", "ProxyError", "SSLError", "Could not install packages "
    "due to an OSError: HTTPSConnectionPool",
)  # fmt: skip
SPECIFIC = ("No space left on device", "Errno 28", "not enough space on the disk")


def pip_failure(
    output: str, item: LockedPackage | UncheckedWheel | None, plan: SetupPlan
) -> str:  # fmt: skip
    """Return what went wrong.

    Args:
        output: all that pip printed.
        item: the package it was asked for; None: several.
        plan: the set-up it belongs to.
    """
    what = "the packages" if item is None else f"{item.name} {item.version}"
    if any(sign in output for sign in SPECIFIC):
        return (
            f"the disk is full at {what}: {plan.environment.parent}; free space, or choose "
            "another Cache Folder in the preferences, and set up again"
        )
    if "DO NOT MATCH THE HASHES" in output:
        named = re.search(r"^\s*(\S+)===\S+.*\n\s+Expected", output, re.MULTILINE)
        found = re.search(r"Got\s+([0-9a-f]{64})", output)
        got = f" (its SHA-256 is {found[1][:16]}...)" if found else ""
        return (
            f"a file of {named[1] if named else what} is not the one the add-on was made with"
            f"{got}: it is damaged or another build; nothing was installed. Get it from another "
            "source, or install a newer version of the add-on"
        )
    if plan.source.folder is None and any(sign in output for sign in UNREACHABLE):
        return (
            f"{plan.source} cannot be reached for {what}; check the network and its proxy and set "
            "up again (finished downloads are kept), or name a Wheel Folder in the preferences"
        )
    if "No matching distribution found" in output:
        return (
            f"{plan.source} has no {what} for {plan.machine}; name another Package Index or a "
            "Wheel Folder in the add-on's preferences"
        )
    return f"pip failed at {what}: {_last_error(output)}; the log below tells more"


def _last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = (errors or lines or ["no message"])[-1]
    return last.removeprefix("ERROR:").strip()
