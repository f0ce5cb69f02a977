"""The environment of a package, as packaging/tree.py lays it under /opt, for this interpreter.

The program is this checkout. ``edgeagent-system.pth`` names the packages of the environment that runs the
tests, as that of a board names the packages of its system; delivered environments get the same file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeagent.launcher.environment import interpreter, site_packages
from edgeagent.launcher.start import FOLDER
from tests.launcher.wheels import ROOT

START = "from edgeagent.launcher.start import main; main()"


def make_package(folder: Path) -> Path:
    """Make the environment, and return it."""
    python = Path(sys.executable).resolve()
    site = site_packages(folder)
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    interpreter(folder).symlink_to(python)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    (site / "edgeagent").symlink_to(ROOT / "edgeagent")
    (site / "edgeagent-system.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder


def agent_folder(state: Path) -> Path:
    """Return the folder of the versions in a state folder."""
    return state / FOLDER


def start_command(package: Path, *arguments: str) -> list[str]:
    """Return the command of the unit."""
    return [str(interpreter(package)), "-I", "-c", START, *arguments]


def start_environment(state: Path) -> dict[str, str]:
    """Return the environment of the unit."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "EDGEAGENT_LAUNCHED")
    }
    return {**kept, "STATE_DIRECTORY": str(state)}


def run_start(package: Path, state: Path, arguments: Sequence[str] = ("run",)) -> tuple[dict[str, Any], str]:
    """Start what the unit starts, a stand-in that ends at once; return what it says, and the errors."""
    with subprocess.Popen(
        start_command(package, *arguments),
        env=start_environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(said)
    assert found["pid"] == process.pid, "the process of the service is another one"
    return found, errors
