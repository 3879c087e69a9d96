"""The report of a check in, one that also tells whether the engine works out: `pcgs selftest`.

Takes seconds, at its first run in an environment up to a minute: kernels are compiled.
"""

import dataclasses

from .environment import EnvironmentReport
from .process import EngineStartError
from .script_task import ScriptError, run_command

__all__ = ["with_self_test"]

SECONDS = 300.0
"""gsplat may compile itself for minutes at its first use."""


def with_self_test(report: EnvironmentReport, *, device: str, threads: int) -> EnvironmentReport:
    """Let the engine decode, draw and take gradients; its findings are in `device` and `speed`."""
    arguments = ["selftest", "--json", "--progress", "none"]
    arguments += ["--device", device, "--threads", str(threads)]
    candidate = report.candidate
    try:
        found = run_command(candidate.python, arguments, own_site=candidate.chosen, timeout=SECONDS)
    except (EngineStartError, ScriptError) as error:
        advice = "set the engine up again"
        if device == "cuda":
            advice = "or choose CPU as Device in the add-on's preferences"
        return dataclasses.replace(report, problem=f"the self-test failed: {error}; {advice}")
    speed = (
        f"{found['backend']}: {found['forward_ms']:.0f} ms a picture of 20,000 splats, "
        f"{found['backward_ms']:.0f} ms its gradients; decoder: {found['entropy']}"
    )
    return dataclasses.replace(report, device=f"{found['device']} ({found['reason']})", speed=speed)
