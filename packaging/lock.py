"""Locks of the wheels in the packages: `python packaging/lock.py` writes packaging/locks again.

A lock names every wheel with its version and SHA-256; a package is built from exactly these.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from build_wheel import BACKEND, build_archives
from targets import MACHINES, RELEASES, Target

EXTRAS = "demo,eval,live,prometheus,tflite,web"
CAPS = {
    # ONNX Runtime 1.32.0 crashed on import under qemu-user 7.2, 1.31 did not: arm64 gets the newest release
    # that has been imported on an arm64 system.
    "arm64": ["onnxruntime<1.32"],
    "amd64": [],
}


def resolved(options: list[str], wanted: list[str]) -> list[str]:
    """Return lines ``name==version --hash=sha256:...`` of everything that ``wanted`` needs."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--target", folder, "--only-binary=:all:", *options, *wanted]
        subprocess.run(command, check=True)
        entries = json.loads(report.read_text(encoding="utf-8"))["install"]
    return sorted(
        f"{entry['metadata']['name'].lower()}=={entry['metadata']['version']} "
        f"--hash=sha256:{entry['download_info']['archive_info']['hashes']['sha256']}"
        for entry in entries
        if entry["metadata"]["name"] != "edgeagent"
    )


def main() -> None:
    if not BACKEND.exists():
        BACKEND.write_text("\n".join(resolved([], ["hatchling"])) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        build_archives(Path(folder))
        (wheel,) = Path(folder).glob("*.whl")
        for system in RELEASES:
            for architecture in MACHINES:
                target = Target(system, architecture)
                wanted = [f"{wheel}[{EXTRAS}]", *CAPS[architecture]]
                lines = resolved(target.pip, wanted)
                target.lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
                print(f"{target.lock.name}: {len(lines)} wheels")


if __name__ == "__main__":
    main()
