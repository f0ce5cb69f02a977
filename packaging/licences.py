"""The copyright file of the package: licences of edgeagent and of every wheel, from their metadata."""

from __future__ import annotations

from email.message import Message
from email.parser import Parser
from pathlib import Path

HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edgeagent
Comment: The package holds edgeagent and the Python wheels that it uses. Every wheel stands under its own
 licence, whose text, and that of libraries in it, is in its dist-info folder where the wheel brings one.

Files: *
Copyright: {year} the edgeagent authors
License: Apache-2.0
Comment: Included models and pictures: see NOTICE in this folder.

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
"""


def copyright_text(root: Path, site: Path, year: int) -> str:
    """Return the text; ``root`` becomes / on the target, ``year`` is that of the sources."""
    paragraphs = [HEAD.format(year=year)]
    for folder in sorted(site.glob("*.dist-info")):
        metadata = Parser().parsestr((folder / "METADATA").read_text(encoding="utf-8"))
        if metadata["Name"] == "edgeagent":
            continue
        place = folder.relative_to(root)
        owner = metadata["Author"] or metadata["Author-email"] or f"the authors of {metadata['Name']}"
        texts = [f" /{path.relative_to(root)}" for path in _licence_files(folder)]
        paragraphs.append(
            f"Files: {place}/*\n"
            f"Copyright: {owner}\n"
            f"License: {licence_name(metadata)}\n"
            + "\n".join(texts or [" The wheel brings no text of its licence."])
            + f"\nComment: {metadata['Name']} {metadata['Version']}\n"
        )
    return "\n".join(paragraphs)


def licence_name(metadata: Message) -> str:
    """Return the licence in one line: expression, short field or classifiers."""
    field = (metadata["License-Expression"] or metadata["License"] or "").strip()
    if field and "\n" not in field and len(field) < 60:
        return field
    classifiers = [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
    return ", ".join(line.split(" :: ")[-1] for line in classifiers) or "see the text"


def _licence_files(folder: Path) -> list[Path]:
    words = ("licen", "copying", "notice", "author")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.name.lower() for word in words)
    )
