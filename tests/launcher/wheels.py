"""Small real wheels, made without a build backend: a stand-in of the agent, or this project renumbered."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_IN = """\
import json, os, sys
from edgeagent.version import __version__
given = sys.argv[1:]
if given == ["--version"]:
    print("edgeagent", __version__)
elif "--check" in given or given[:2] == ["bundle", "check"]:
    print("nothing was started")
else:
    print(json.dumps({"version": __version__, "pid": os.getpid(), "given": given,
        "launched": json.loads(os.environ["EDGEAGENT_LAUNCHED"])}))
"""
FORMATS = b"RECORD_FORMAT = 1\nSTATE_FORMAT = 1\nMINIMUM_STATE_FORMAT = 1\n"


def stand_in(version: str, main: str = STAND_IN, formats: bytes = FORMATS) -> dict[str, bytes]:
    """Return the files of a package ``edgeagent`` that does next to nothing."""
    return {
        "edgeagent/__init__.py": b"",
        "edgeagent/__main__.py": main.encode(),
        "edgeagent/version.py": f'__version__ = "{version}"\n'.encode(),
        "edgeagent/launcher/__init__.py": b"",
        "edgeagent/launcher/formats.py": formats,
    }


def this_project(version: str) -> dict[str, bytes]:
    """Return the files of this project's wheel, with another version and one of its bundles."""
    found = {}
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "edgeagent"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    places = {name: name for name in listed}
    for folder in ("models/coco-nano", "config/boards"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                name = str(path.relative_to(ROOT))
                places[name] = f"edgeagent/{name}"
    places["config/edgeagent.yaml"] = "edgeagent/config/edgeagent.yaml"
    for name, place in places.items():
        if (ROOT / name).is_file():
            found[place] = (ROOT / name).read_bytes()
    found["edgeagent/version.py"] = f'"""Version."""\n\n__version__ = "{version}"\n'.encode()
    return found


def build_wheel(
    folder: Path,
    version: str,
    files: Mapping[str, bytes],
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    name: str = "edgeagent",
) -> Path:
    """Write a wheel into a folder, which is made, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.10"]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    content = {
        **files,
        f"{info}/METADATA": ("\n".join(metadata) + "\n").encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nTag: {tag}\n".encode(),
    }
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for path, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([path, f"sha256={digest}", len(data)])
    writer.writerow([f"{info}/RECORD", "", ""])
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**content, f"{info}/RECORD": rows.getvalue().encode()}.items():
            archive.writestr(path, data)
    return wheel
