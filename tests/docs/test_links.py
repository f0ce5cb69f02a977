"""Links, files and modules that documents name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.text import DOCUMENTS, NAMES, ROOT, anchors, code_spans, prose, read_document, table_rows

FOLDERS = ("edgeagent", "tests", "benchmarks", "tools", "examples", "config", "docs", "systemd", "models")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(read_document(name))):
        if re.match(r"[a-z]+://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.is_file(), f"{name}: {link}"
        assert target.resolve().is_relative_to(ROOT), f"{name}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name}: {link}"


def module_exists(name: str) -> bool:
    """Whether there is a package or module of that name; nothing is imported."""
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_files_that_a_document_names_exist(name: str) -> None:
    for span in code_spans(read_document(name)):
        match = re.fullmatch(rf"(?:python )?((?:{'|'.join(FOLDERS)})/[\w./-]*[\w/])(?: .*)?", span)
        if match and not match.group(1).startswith("edgeagent/v1"):
            assert (ROOT / match.group(1)).exists(), f"{name}: {span}"


@pytest.mark.parametrize("name", NAMES)
def test_modules_that_a_document_names_exist(name: str) -> None:
    for span in code_spans(read_document(name)):
        match = re.fullmatch(r"(?:python -m )?(edgeagent(?:\.[a-z_0-9]+)+)((?:\.[A-Z]\w*)?)(?: .*)?", span)
        ends = (
            ".yaml",
            ".before",
            ".json",
            ".conf",
            ".service",
            ".path",
            ".timer",
            ".runtime",
            ".delivery.publisher",
        )
        if match and not span.endswith(ends):
            assert module_exists(match.group(1)), f"{name}: {span}"


def test_the_glossary_names_modules_that_exist() -> None:
    rows = table_rows(read_document("docs/glossary.md"))
    assert len(rows) >= 60
    for _, meaning, module in rows:
        assert module_exists(module.strip("`")), module
        assert meaning
    terms = [term.lower() for term, _, _ in rows]
    assert terms == sorted(terms)
    assert len(set(terms)) == len(terms)


def pages(entry: object) -> list[str]:
    """All pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    assert not isinstance(parts, str)
    return [page for part in parts for page in pages(part)]  # type: ignore[attr-defined]


def test_the_site_has_every_document() -> None:
    settings = yaml.safe_load(read_document("mkdocs.yml"))
    assert sorted(pages(settings["nav"])) == sorted(NAMES)


def test_the_records_are_numbered_without_a_gap() -> None:
    records = [path for path in DOCUMENTS if path.parent.name == "adr"]
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        title = Path(path).read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {int(path.name[:4])}. ")
