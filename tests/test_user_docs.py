"""The user's documents against the source: messages and labels they quote are those of the program.

A message that is reworded, a label that is renamed or a new message of the add-on fails here, so
that docs/troubleshooting.md and docs/user-guide.md say what the user sees.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
GAP = "…"
"""Stands for what a message fills in: a name, a number, a reason."""
CODE = re.compile(r"`([^`]+)`")
LABEL = re.compile(r"(?<![*\w])\*([^*\n]+)\*(?!\*)")
HINTS = ("description", "bl_description")
"""Arguments and fields that Blender shows as tooltips: not messages."""
MENU = " \u203a "
"""Between the parts of a menu path."""
NO_MESSAGES = {
    "As the file says; else judged by where its cameras stood",  # tooltip of a choice
    "…: … ms a picture of 20,000 splats, … ms its gradients; decoder: …",  # figures
}
# Of Blender itself, with what this guide says about it: menus, panels, editors.
BLENDER = {
    *("File", "Edit", "Preferences", "Import", "Export", "System", "Add-ons", "Get Extensions"),
    *("Install from Disk...", "Allow Online Access", "Output", "Post Processing", "Compositing"),
    *("Render Region", "View", "Window", "Toggle System Console", "Blender Preferences", "⌄"),
    *("Info", "AgX", "Filmic", "Standard", "Scripting", "Save As...", "Uninstall"),
}


def _literals(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield every text of a module but docstrings; says whether it is a tooltip."""
    tree = ast.parse(path.read_text())
    skipped: set[int] = set()
    hints: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
        elif isinstance(node, ast.keyword | ast.Assign):
            name = node.arg if isinstance(node, ast.keyword) else ast.unparse(node.targets[0])
            if name in HINTS:
                hints.update(id(part) for part in ast.walk(node.value))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, id(node) in hints
        elif isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else GAP for p in node.values)
            yield "".join(str(part) for part in parts), id(node) in hints


@cache
def _found(package: str) -> frozenset[tuple[str, bool]]:
    paths = (REPOSITORY / package).rglob("*.py")
    return frozenset(found for path in paths for found in _literals(path))


@cache
def texts(package: str) -> frozenset[str]:
    """Return every text of a package's modules; what is filled in stands as a gap."""
    return frozenset(text for text, _ in _found(package))


@cache
def messages() -> frozenset[str]:
    """Return the add-on's messages of the form `what is wrong; what to do`."""
    told = {text for text, hint in _found("addon") if not hint and "; " in text}
    wordless = {text for text in told if "\n" in text or not re.search(r"\w", text)}
    return frozenset(told - wordless - NO_MESSAGES)


def pieces(quote: str) -> list[str]:
    """Return what stands between a quote's gaps; the panels begin messages with a capital."""
    return [piece.strip().lower() for piece in quote.split(GAP) if piece.strip()]


def occurs(quote: str, text: str) -> bool:
    """Whether the pieces of a quote stand in a text, in their order."""
    at = 0
    for piece in pieces(quote):
        at = text.lower().find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return bool(pieces(quote))


def quoted_messages() -> list[str]:
    """Return the code spans in the first cell of every row of the troubleshooting tables."""
    rows = (DOCS / "troubleshooting.md").read_text().splitlines()
    cells = (row.split("|")[1] for row in rows if row.startswith("| `"))
    return [quote for cell in cells for quote in CODE.findall(cell)]


def labels(page: str) -> list[str]:
    """Return what a page sets in italics, menu paths in their parts."""
    text = re.sub(r"```.*?```", "", (DOCS / page).read_text(), flags=re.DOTALL)
    text = re.sub(r"\*\*[^*]+\*\*|`[^`]*`|\[[^\]]*\]\([^)]*\)", "", text)
    parts = (part for label in LABEL.findall(text) for part in label.split(MENU))
    return sorted({part.replace("…", "...") for part in parts})


@pytest.mark.parametrize("quote", quoted_messages())
def test_quoted_message_is_one_of_the_program(quote: str) -> None:
    known = texts("addon") | texts("pcgs_engine")
    assert any(occurs(quote, text) for text in known), (
        f"docs/troubleshooting.md quotes `{quote}`, which no source file says any more; "
        "quote the new words"
    )


@pytest.mark.parametrize("message", sorted(messages()))
def test_message_of_the_addon_is_explained(message: str) -> None:
    assert any(occurs(quote, message) for quote in quoted_messages()), (
        f"docs/troubleshooting.md does not quote `{message}`; add a row that says what to do"
    )


@pytest.mark.parametrize("page", ["user-guide.md", "troubleshooting.md", "farms.md"])
def test_label_in_italics_is_one_of_the_interface(page: str) -> None:
    known = texts("addon") | BLENDER
    job = (REPOSITORY / "flamenco" / "pcgs_train.js").read_text()
    unknown = [label for label in labels(page) if label not in known and label not in job]
    assert not unknown, f"docs/{page} sets {unknown} in italics, which no button is called"


def test_pictures_of_the_guide_are_there_and_all_are_used() -> None:
    text = "".join(page.read_text() for page in PAGES)
    used = set(re.findall(r"images/([\w.-]+\.png)", text))
    kept = {path.name for path in (DOCS / "images").glob("addon_*.png")}
    assert kept == {name for name in used if name.startswith("addon_")}
    assert used <= {path.name for path in (DOCS / "images").iterdir()}


def _anchors(page: Path) -> set[str]:
    """Return the anchors that a repository's web page gives the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        assert not anchor or anchor in _anchors(target), f"{page.name}: no heading {link}"
