"""The documents as text: files, code blocks, headings, words in backticks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "models").rglob("*.md")),
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
"""All documents, relative to the root of the repository."""


def read_document(name: str) -> str:
    """Return the text of a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Return a text without its code blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def code_blocks(text: str, language: str) -> list[str]:
    """Return the code blocks in a language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def code_spans(text: str) -> list[str]:
    """Return what stands in backticks outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as the repository's page and the site make them."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of all table rows, without heads and rules."""
    rows = []
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if (
            line.startswith("|")
            and not re.match(r"\|[\s|:-]+$", line)
            and not re.match(r"\|[\s|:-]+$", following)
        ):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows
