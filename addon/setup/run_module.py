"""Run by a Python through run_engine.py: `run_module.py MODULE ...` is `python -m MODULE ...`."""

import runpy
import sys

if __name__ == "__main__":
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
