"""Benchmarks and tools run rarely: whatever they take from the engine must still be there."""

import ast
import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def engine_names() -> list[tuple[str, str]]:
    """Return module and name of everything that benchmarks and tools import from the engine."""
    files = [*REPOSITORY.glob("benchmarks/*.py"), *REPOSITORY.glob("tools/**/*.py")]
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and module.split(".")[0] == "pcgs_engine":
                found |= {(module, alias.name) for alias in node.names}
    return sorted(found)


@pytest.mark.parametrize(("module", "name"), engine_names())
def test_engine_has_what_benchmarks_import(module: str, name: str) -> None:
    loaded = importlib.import_module(module)
    if not hasattr(loaded, name):
        importlib.import_module(f"{module}.{name}")
