"""Wheel and source archive of the project: `python packaging/build_wheel.py [FOLDER]`, dist by default.

Equal bytes for equal sources: the build backend is locked, and the time of every entry is SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from targets import ROOT

BACKEND = ROOT / "packaging" / "locks" / "hatchling.txt"


def source_date() -> str:
    """Return SOURCE_DATE_EPOCH: of the environment, of the last commit, or a fixed day."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "1767225600"


def build_archives(folder: Path, targets: tuple[str, ...] = ("wheel",)) -> None:
    """Build the given targets of the build backend, "wheel" and "sdist", in ``folder``."""
    tools = ROOT / "build" / "hatchling"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    pip += ["--root-user-action=ignore", "--no-warn-conflicts"]
    if not (tools / "hatchling").is_dir():
        subprocess.run([*pip, "--target", str(tools), "--requirement", str(BACKEND)], check=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(tools),
        "SOURCE_DATE_EPOCH": source_date(),
    }
    kinds = [argument for kind in targets for argument in ("--target", kind)]
    command = [sys.executable, "-m", "hatchling", "build", *kinds, "--directory", str(folder.resolve())]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder
    build_archives(folder, ("wheel", "sdist"))
    for path in sorted(folder.glob("edgeagent-*")):
        print(f"{path} {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
