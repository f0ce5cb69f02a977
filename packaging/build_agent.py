"""Wheels of this version for boards: `python packaging/build_agent.py --system debian12 --arch arm64`.

The folder dist/agent-SYSTEM-ARCH gets the wheels of the lock, with their hashes verified, and the project's
own: what `edgeagent publish agent` signs, and what the Debian package of the same system holds.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from build_wheel import build_archives
from targets import MACHINES, RELEASES, ROOT, Target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=RELEASES, default="debian12")
    parser.add_argument("--arch", choices=MACHINES, default="amd64")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    target = Target(arguments.system, arguments.arch)
    folder = arguments.out / f"agent-{arguments.system}-{arguments.arch}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--dest", str(folder), *target.pip, "--requirement", str(target.lock)]
    subprocess.run(command, check=True)
    build_archives(folder)
    wheels = sorted(folder.glob("*.whl"))
    size = sum(path.stat().st_size for path in wheels)
    print(f"{folder}: {len(wheels)} wheels, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
