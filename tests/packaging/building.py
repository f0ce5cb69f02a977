"""Running the scripts of packaging/ in copies of the project, without the network where possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
NOT_COPIED = shutil.ignore_patterns(
    ".*", "__pycache__", "build", "dist", "tests", "docs", "benchmarks", "demo-output", "*.work"
)


def program_or_skip(name: str) -> str:
    """Return the path of a program; continuous integration must have it."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


def run_script(root: Path, name: str, *arguments: object, epoch: int = 1_790_000_000) -> str:
    """Run packaging/NAME of the project at ``root``; skip where a registry of packages cannot be reached."""
    command = [sys.executable, str(root / "packaging" / name), *map(str, arguments)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if "No matching distribution" in done.stderr and not os.environ.get("CI"):
            pytest.skip("the registry of Python packages cannot be reached")
        pytest.fail(done.stdout + done.stderr)
    return done.stdout


def copy_of_project(folder: Path) -> Path:
    """Copy the project, without its tests but with the build backend, to another place."""
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED, copy_function=shutil.copyfile)
    (folder / "tests").mkdir()
    (folder / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    backend = ROOT / "build" / "hatchling"
    if backend.is_dir():
        shutil.copytree(backend, folder / "build" / "hatchling")
    return folder
