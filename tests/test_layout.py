"""Layout of the package: no import cycles, unique public names, a docstring for every package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / "edgeagent").rglob("__init__.py"))
FILES, NAMES = re.compile(r"\b([a-z][a-z0-9_]*)\.py\b"), re.compile(r"``([a-z][a-z0-9_]*)``")


def shape(*arguments: object) -> tuple[int, list[str]]:
    """Return the exit code and the output lines of tools/import_cycles.py."""
    command = [sys.executable, str(ROOT / "tools" / "import_cycles.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def write(root: Path, **modules: str) -> Path:
    """Write a package; ``a_b`` is the module b of its subpackage a."""
    for name, content in modules.items():
        path = (root / name.replace("_", "/", 1)).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (root, path.parent):
            (folder / "__init__.py").touch()
        path.write_text(content, encoding="ascii")
    return root


def test_no_cycles_and_no_public_name_twice() -> None:
    code, lines = shape()
    assert code == 0, "\n".join(lines)
    assert "cycles among packages: 0" in lines
    assert "cycles among modules: 0" in lines
    assert "public classes defined more than once: 0" in lines
    assert "public functions defined more than once: 0" in lines


def test_a_cycle_of_packages_and_duplicate_names_are_reported(tmp_path: Path) -> None:
    root = write(
        tmp_path / "pkg",
        a_one="from pkg.b import two\n\n\nclass Row: ...\n\n\ndef run(): ...\n",
        b_two="from pkg.c.three import Row\n\n\ndef run(): ...\n\n\ndef load(): ...\n",
        c_three="def work():\n    from ..a import one\n\n\nclass Row: ...\n\n\ndef load(): ...\n",
        d_four="import pkg.a.one\n",
    )
    code, lines = shape(root)
    assert code == 1
    assert "packages at the root: 4 (a, b, c, d)" in lines
    assert "  3: pkg.a, pkg.b, pkg.c" in lines
    assert "  3: pkg.a.one, pkg.b.two, pkg.c.three" in lines
    assert "  Row: pkg.a.one, pkg.c.three" in lines
    assert "  load: pkg.b.two, pkg.c.three" in lines
    assert not any(line.startswith("  run:") for line in lines)


def test_imports_for_type_checking_are_ignored(tmp_path: Path) -> None:
    guarded = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pkg.a import one\n"
    code, lines = shape(write(tmp_path / "pkg", a_one="from pkg.b import two\n", b_two=guarded))
    assert code == 0
    assert "cycles among modules: 0" in lines


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_says_what_it_does(package: Path) -> None:
    """Outside ``qat`` a docstring has three lines or more.

    The modules that it mentions, as ``name`` or as name.py, exist.
    """
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    assert text, "no docstring"
    if package.name != "edgeagent" and "qat" not in package.parts:
        assert len(text.splitlines()) >= 3, text
    for name in FILES.findall(text) or NAMES.findall(text):
        assert (package / name).is_dir() or (package / f"{name}.py").is_file(), name
