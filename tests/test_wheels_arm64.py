"""The base dependencies have wheels for 64-bit ARM, for every Python that the project supports.

docs/boards.md has the versions in a table. pip resolves for another platform than its own, so that nothing is
installed; markers are those of the running Python, and the one of ai-edge-litert is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.text import ROOT, read_document, table_rows
from tests.long import LONG

tomllib = pytest.importorskip("tomllib", reason="tomllib is new in Python 3.11")

PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_26_aarch64",
    "manylinux2014_aarch64",
)
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
LISTED = ("onnxruntime", "ai-edge-litert", "opencv-python-headless", "numpy")


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def index() -> None:
    if pip("--no-deps", "--retries", "0", "--timeout", "10", "packaging").returncode != 0:
        pytest.skip("no package index can be reached")


def requirements() -> list[str]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [requirement.partition(";")[0].strip() for requirement in project["dependencies"]]


@pytest.mark.slow
@LONG
@pytest.mark.timeout(900)
@pytest.mark.parametrize("python", PYTHONS)
def test_wheels(
    python: str, index: None, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    report = tmp_path / "report.json"
    platforms = [option for name in PLATFORMS for option in ("--platform", name)]
    where = ("--target", str(tmp_path / "wheels"), "--only-binary=:all:", "--implementation", "cp")
    done = pip(*where, *platforms, "--python-version", python, "--report", str(report), *requirements())
    assert done.returncode == 0, done.stderr
    found = {
        one["metadata"]["name"].lower(): one["metadata"]["version"]
        for one in json.loads(report.read_text(encoding="utf-8"))["install"]
    }
    for name in LISTED:
        assert name in found
        record_property(name, found[name])


def test_the_table_has_every_python_that_is_supported() -> None:
    section = read_document("docs/boards.md").partition("## Python")[2].partition("\n## ")[0]
    rows = table_rows(section)
    assert tuple(row[0] for row in rows) == PYTHONS
    for row in rows:
        assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in row[1:]), row
