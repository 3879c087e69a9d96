"""The law of the tree: layers, what may import what, sizes, names, and constructs we refuse.

Everything but the last test reads source text only. See docs/design.md "Import order".
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ENGINE = REPOSITORY / "pcgs_engine"
ADDON = REPOSITORY / "addon"
TESTS = REPOSITORY / "tests"

LAYER_OF = {
    "errors": 0,
    "config": 0,
    "protocol": 0,
    "native": 0,
    "kernels": 0,
    "atomic_file": 0,
    "sample": 0,
    "bitstream": 1,
    "scene": 1,
    "splats": 1,
    "entropy": 2,
    "model": 3,
    "levels": 4,
    "render": 4,
    "training": 5,
    "codec": 5,
    "cli": 6,
    "__main__": 7,
}
"""A package may import itself, lower layers and its own layer (training | codec excepted)."""

TORCH_PACKAGES = {"model", "render", "levels", "training", "cli"}
CUDA_WORD_ALLOWED = ("cli/", "render/cuda_backend.py")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "core", "base"}
PACKAGE_LINES, TEST_LINES, FUNCTION_LINES = 400, 500, 60

ENGINE_FILES = sorted(ENGINE.rglob("*.py"))
OWN_FILES = [
    *ENGINE_FILES,
    *ADDON.rglob("*.py"),
    *(path for folder in ("tools", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py")),
]
OWN_FILES.append(REPOSITORY / "build_addon.py")
OWN_FILES = [path for path in OWN_FILES if "node_modules" not in path.parts]  # installed peers
ADDON_FILES = sorted(ADDON.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def package_of(path: Path) -> str:
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


def imported_modules(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Absolute dotted names of everything a file of the engine imports."""
    tree = tree_of(path)
    nodes = _run_at_import(tree) if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_import_from(path, node))
    return found


def _import_from(path: Path, node: ast.ImportFrom) -> set[str]:
    if node.level == 0:
        return {str(node.module)}
    package = path.relative_to(REPOSITORY).with_suffix("").parts[: -node.level]
    module = ".".join((*package, *((node.module,) if node.module else ())))
    if node.module and module != "pcgs_engine":
        return {module}
    return {f"{module}.{alias.name}" for alias in node.names}


def _run_at_import(node: ast.AST) -> list[ast.AST]:
    """Statements executed on import: function bodies and `if TYPE_CHECKING` are left out."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        found.append(child)
        found.extend(_run_at_import(child))
    return found


def root(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def calls(tree: ast.Module) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def engine_files(*, torch: bool | None = None) -> list[Path]:
    if torch is None:
        return ENGINE_FILES
    return [path for path in ENGINE_FILES if (package_of(path) in TORCH_PACKAGES) == torch]


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_import_of_engine_package_follows_layer_order(path: Path) -> None:
    own = package_of(path)
    if own == "__init__":
        return
    assert own in LAYER_OF, f"{own} has no layer: add it to docs/design.md and to this test"
    for module in imported_modules(path):
        if root(module) != "pcgs_engine" or module == "pcgs_engine":
            continue
        other = module.split(".")[1]
        if other in (own, "__version__"):
            continue
        assert other in LAYER_OF, f"{module} is not in the layer table"
        assert LAYER_OF[other] <= LAYER_OF[own], f"{own} must not import {module}"
        assert {own, other} != {"training", "codec"}, f"{own} must not import {module}"


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_import_inside_package_is_relative(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert root(str(node.module)) != "pcgs_engine", f"line {node.lineno}: not relative"
            assert node.names[0].name != "*", f"line {node.lineno}: star import"
        if isinstance(node, ast.Import):
            roots = {root(alias.name) for alias in node.names}
            assert "pcgs_engine" not in roots, f"line {node.lineno}: not relative"


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_engine_file_never_imports_bpy(path: Path) -> None:
    assert {"bpy", "gpu", "bl_ext"}.isdisjoint(map(root, imported_modules(path)))


@pytest.mark.parametrize("path", engine_files(torch=False), ids=name_of)
def test_torch_free_package_never_imports_torch_at_module_level(path: Path) -> None:
    heavy = {"torch", "gsplat", "torchac"}
    assert heavy.isdisjoint(map(root, imported_modules(path, top_level_only=True)))
    inner = {m.split(".")[1] for m in imported_modules(path) if m.startswith("pcgs_engine.")}
    assert inner.isdisjoint(TORCH_PACKAGES) or package_of(path) == "__main__"


@pytest.mark.parametrize("path", ADDON_FILES, ids=name_of)
def test_addon_file_imports_its_own_by_relative_names_and_never_torch(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert root(str(node.module)) != "addon", f"line {node.lineno}: not relative"
    assert {"torch", "gsplat", "numba"}.isdisjoint(map(root, imported_modules(path)))


def test_engine_modules_that_the_addon_imports_work_without_torch() -> None:
    modules = {m for path in ADDON_FILES for m in imported_modules(path, top_level_only=True)}
    program = (
        "import importlib, sys\n"
        "blocked = 'torch numba scipy cv2 PIL gsplat torchac safetensors'\n"
        "sys.modules.update(dict.fromkeys(blocked.split()))\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    names = sorted(m for m in modules if root(m) == "pcgs_engine")
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_cuda_word_appears_only_in_command_line_and_backend(path: Path) -> None:
    if path.relative_to(ENGINE).as_posix().startswith(CUDA_WORD_ALLOWED):
        return
    tree = tree_of(path)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                assert not re.fullmatch(r"cuda(:\d+)?", node.value), f"line {node.lineno}"
        elif isinstance(node, ast.Attribute):
            assert not ast.unparse(node).startswith("torch.cuda"), f"line {node.lineno}"


@pytest.mark.parametrize("path", OWN_FILES, ids=name_of)
def test_module_opens_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), "say what goes in and what comes out"


@pytest.mark.parametrize("path", OWN_FILES + TEST_FILES, ids=name_of)
def test_file_and_functions_stay_short(path: Path) -> None:
    limit = TEST_LINES if path in TEST_FILES else PACKAGE_LINES
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= limit, f"{lines} lines, at most {limit}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", OWN_FILES + TEST_FILES, ids=name_of)
def test_file_has_a_telling_name(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_engine_file_uses_no_refused_construct(path: Path) -> None:
    tree = tree_of(path)
    assert {"pickle", "dill", "joblib", "shelve"}.isdisjoint(map(root, imported_modules(path)))
    refused = {"eval", "exec", "print", "torch.load", "torch.save"}
    assert refused.isdisjoint(calls(tree))
    assert "allow_pickle=True" not in path.read_text(encoding="utf-8")
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global), f"line {node.lineno}: global"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"


@pytest.mark.parametrize("path", ENGINE_FILES, ids=name_of)
def test_module_holds_no_mutable_state(path: Path) -> None:
    for node in tree_of(path).body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        value = node.value
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = ast.unparse(target)
        containers = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
        if isinstance(value, containers):
            constant = name == "__all__" or name.lstrip("_").isupper()
            assert constant, f"line {node.lineno}: {name} is mutable and not named as a constant"


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("__init__.py")), ids=name_of)
def test_package_init_only_exports_names(path: Path) -> None:
    if package_of(path) == "sample":
        return  # names the folder it lies in: one function, no state
    for node in tree_of(path).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, (ast.Assign, ast.AnnAssign)) and ast.unparse(
            node.targets[0] if isinstance(node, ast.Assign) else node.target
        ) in ("__all__", "__version__")
        imports = isinstance(node, (ast.Import, ast.ImportFrom))
        assert docstring or names or imports, f"line {node.lineno}: logic in __init__"


@pytest.mark.parametrize("path", [p for p in ENGINE_FILES if p.name != "__main__.py"], ids=name_of)
def test_module_lists_its_public_names(path: Path) -> None:
    targets = {
        ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        for node in tree_of(path).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
    }
    assert "__all__" in targets or not any(
        isinstance(n, (ast.FunctionDef, ast.ClassDef)) for n in tree_of(path).body
    )


def test_decode_path_imports_with_training_packages_blocked() -> None:
    program = (
        "import sys\n"
        "blocked = 'torch numba scipy cv2 PIL gsplat torchac safetensors'\n"
        "sys.modules.update(dict.fromkeys(blocked.split()))\n"
        "import importlib, pkgutil\n"
        "for name in ('codec', 'splats', 'bitstream', 'entropy', 'native', 'config', 'protocol'):\n"
        "    module = importlib.import_module('pcgs_engine.' + name)\n"
        "    for part in pkgutil.iter_modules(getattr(module, '__path__', [])):\n"
        "        importlib.import_module(module.__name__ + '.' + part.name)\n"
        "import pcgs_engine.cli.main\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_ci_script_runs_the_test_command_of_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    command = next(line for line in readme if line.endswith("nox -s tests addon"))
    assert command in script
