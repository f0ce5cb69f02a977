"""docs/architecture.md: its layers are those of the linter, its picture is drawn from its text."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import yaml

from tests.docs.text import ROOT, read_document, table_rows


def test_the_table_has_the_layers_of_the_linter_in_their_order() -> None:
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter")
    layers = [
        line.split()[0] for line in contract["importlinter:contract:layers"]["layers"].split("\n") if line
    ]
    section = read_document("docs/architecture.md").partition("## Layers")[2].partition("\n## ")[0]
    assert [row[0].strip("`") for row in table_rows(section)] == layers


def test_every_package_has_a_layer() -> None:
    section = read_document("docs/architecture.md").partition("## Layers")[2].partition("\n## ")[0]
    listed = {row[0].strip("`") for row in table_rows(section)}
    packages = {path.parent.name for path in (ROOT / "edgeagent").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "edgeagent").glob("*.py") if not path.stem.startswith("__")}
    assert listed == packages | modules


def test_the_picture_names_packages_and_links_steps() -> None:
    picture = yaml.safe_load(read_document("docs/architecture.yaml"))
    steps = {step["id"]: step for way in picture["ways"] for step in way["steps"]}
    assert len(steps) == sum(len(way["steps"]) for way in picture["ways"])
    for step in steps.values():
        if "outside" not in step:
            assert (ROOT / "edgeagent" / step["part"].replace(".", "/") / "__init__.py").is_file(), step
    for link in picture["links"]:
        assert {link["from"], link["to"]} <= set(steps)


def test_the_picture_is_current(tmp_path: Path) -> None:
    drawn = tmp_path / "architecture.svg"
    subprocess.run([sys.executable, str(ROOT / "tools" / "draw_architecture.py"), str(drawn)], check=True)
    assert read_document("docs/architecture.svg") == drawn.read_text(encoding="utf-8"), (
        "run python tools/draw_architecture.py"
    )
