"""``import edgeagent``: the public names, and what importing them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgeagent

TREE = ast.parse(Path(edgeagent.__file__ or "").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", edgeagent.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(edgeagent, name)
    assert name in {"__version__", "Image"} or value.__doc__


def test_types_and_names_are_of_the_same_modules() -> None:
    declared = {
        alias.name: node.module
        for node in ast.walk(TREE)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0
        for alias in node.names
        if node.module.startswith("edgeagent.") and alias.name != "__version__"
    }
    assert declared == {name: f"edgeagent.{place}" for name, place in edgeagent._PLACES.items()}
    assert sorted([*declared, "__version__"]) == sorted(edgeagent.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'open_camera'"):
        edgeagent.open_camera  # noqa: B018


def test_importing_the_package_imports_no_library() -> None:
    code = (
        "import sys, edgeagent; print(sorted({'numpy', 'cv2', 'onnxruntime', 'pydantic'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
