"""What others made and we hand on: wheels and compiled-in parts in, a page with licences out.

Names, licences and texts are read from the wheels themselves. `notices` is the page in a zip, with
every text; docs/third-party.md (third_party_page.py) names what each download holds.
"""

import email.parser
import email.policy
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .native_library import compiled_in
from .platforms import Platform

__all__ = ["Component", "components_of_zip", "licence_of", "notices"]

TEXT_NAME = re.compile(r"(licen[cs]e|copying|copyright|notice)", re.IGNORECASE)
FOLDERS = ("licenses", "license_files")
CLASSIFIER = "License :: OSI Approved :: "
LONGEST_LICENCE = 60
"""Some projects put the whole text where its name belongs."""
UNKNOWN = "see its text"
LIBRARY, BLENDER, TRAINING = "the decoder's C library", "Blender's Python", "training engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing that others made."""

    name: str
    version: str
    licence: str
    home: str
    place: str
    """Where it works."""
    texts: Mapping[str, bytes] = field(default_factory=dict)
    """File name: licence text."""


def components_of_zip(
    platform: Platform,
    compiler_texts: Mapping[str, bytes],
    bundled: Sequence[Path],
    training: Sequence[Path],
) -> list[Component]:
    """Return everything in a zip that is not ours, in the order it is listed."""
    linked = [
        Component(
            name=name, version="", licence=licence, home="https://ziglang.org", place=LIBRARY,
            texts={name: compiler_texts[name]},
        )
        for name, licence in compiled_in(platform.name).items()
    ]  # fmt: skip
    wheels = [_component_of_wheel(path, BLENDER) for path in bundled]
    wheels += [_component_of_wheel(path, TRAINING) for path in training]
    return [*linked, *sorted(wheels, key=lambda item: (item.place, item.name.lower()))]


def _component_of_wheel(path: Path, place: str) -> Component:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        metadata = next(n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        folder = metadata.rpartition("/")[0] + "/"
        texts = {
            name.removeprefix(folder): archive.read(name)
            for name in sorted(names)
            if name.startswith(folder) and not name.endswith("/") and _is_text(name, folder)
        }
        text = archive.read(metadata).decode("utf-8", "replace")
    fields = email.parser.Parser(policy=email.policy.compat32).parsestr(text, headersonly=True)
    urls = [value.partition(",")[2].strip() for value in fields.get_all("Project-URL", [])]
    return Component(
        name=str(fields["Name"]),
        version=str(fields["Version"]),
        licence=licence_of(
            str(fields["License-Expression"] or ""),
            str(fields["License"] or ""),
            [str(value) for value in fields.get_all("Classifier", [])],
        ),
        home=str(fields["Home-page"] or (urls or [""])[0]),
        place=place,
        texts=texts,
    )


def _is_text(name: str, folder: str) -> bool:
    inside = name.removeprefix(folder)
    return inside.startswith(FOLDERS) or TEXT_NAME.search(inside) is not None


def licence_of(expression: str, text: str, classifiers: Iterable[str]) -> str:
    """Return a licence's name from what a package says of itself, the most exact first."""
    if expression:
        return expression
    line = text.strip().partition("\n")[0].strip()
    if line and line == text.strip() and len(line) <= LONGEST_LICENCE:
        return line
    named = [c.removeprefix(CLASSIFIER) for c in classifiers if c.startswith(CLASSIFIER)]
    return ", ".join(named) or UNKNOWN


def notices(components: Sequence[Component]) -> str:
    """Return the page of a zip: a table, then every licence text once."""
    lines = [
        "# Third-party software in this zip",
        "",
        "PCGS itself is GPL-3.0-or-later, see LICENSE. Made by `build_addon.py` from the files "
        "that are in the zip.",
        "",
        "| what | version | licence | used by | home |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.name} | {item.version} | {item.licence} | {item.place} | {item.home} |"
        for item in components
    ]
    seen: dict[bytes, str] = {}
    for item in components:
        for name, text in item.texts.items():
            title = f"{item.name} {item.version}".strip() + f": {name}"
            lines += ["", f"## {title}", ""]
            if text in seen:
                lines.append(f"The same text as *{seen[text]}*.")
                continue
            seen[text] = title
            body = text.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")
            fence = "`" * max([4, *(len(run) + 1 for run in re.findall("`+", body))])
            lines += [f"{fence}text", body, fence]
    return "\n".join(lines) + "\n"
