"""Files of the program under /opt/edgeagent: wheels of the target in the layout of a virtual environment.

A virtual environment is a link to the interpreter, ``pyvenv.cfg`` and ``site-packages``; none of them names
the place where it was made, so nothing of the target has to run here.
"""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
from targets import Target

PROGRAM = Path("opt/edgeagent")

LEFT_OUT = (
    "bin",  # scripts with the interpreter of the build
    "*.dist-info/RECORD",  # lists files that are left out here
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "__pycache__",
    "tests",
    "test_data",
    "*.pyi",
    "*.pxd",
    "*.h",
    "*.hpp",
    "*.a",
    "numpy/f2py",
    "numpy/distutils",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/capi/libonnxruntime.so.*",  # the C interface; the Python module holds the engine itself
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",  # of the compiled-model interface, which is not used
    "cv2/LICENSE-3RD-PARTY.txt",  # is in the dist-info folder, too
)

# Packages of the system come last: picamera2, TensorRT and HailoRT are installed by apt; further engines by
# the administrator in /usr/local/lib/edgeagent.
SYSTEM_PATHS = """\
/usr/local/lib/edgeagent
/usr/lib/python3/dist-packages
/usr/lib/python{python}/dist-packages
"""

PYVENV = """\
home = /usr/bin
include-system-site-packages = false
version = {python}
"""

LAUNCHER = """\
#!/opt/edgeagent/bin/python3 -I
import os

os.environ["PYTHONSAFEPATH"] = "1"  # workers take no module from the folder in which they run

from edgeagent.cli.process import run_process

run_process()
"""

# Program of the systemd unit: starts this version, or a delivered one (edgeagent/launcher).
STARTER = """\
#!/opt/edgeagent/bin/python3 -I
from edgeagent.launcher.start import main

main()
"""


def install_program(root: Path, target: Target, lock: Path, wheel: Path) -> Path:
    """Install the wheels of a lock and the project's own under ``root``; return ``site-packages``."""
    program = root / PROGRAM
    site = program / "lib" / f"python{target.release.python}" / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--upgrade"]
    pip += ["--no-warn-conflicts", "--root-user-action=ignore", "--target", str(site)]
    subprocess.run([*pip, *target.pip, "--require-hashes", "--requirement", str(lock)], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    for pattern in LEFT_OUT:
        _remove(site, pattern)
    (site / "edgeagent-system.pth").write_text(
        SYSTEM_PATHS.format(python=target.release.python), encoding="ascii"
    )
    (program / "pyvenv.cfg").write_text(PYVENV.format(python=target.release.python), encoding="ascii")
    scripts = program / "bin"
    scripts.mkdir()
    (scripts / "python3").symlink_to(f"/usr/bin/python{target.release.python}")
    (scripts / "edgeagent").write_text(LAUNCHER, encoding="ascii")
    (scripts / "edgeagent").chmod(0o755)
    (scripts / "edgeagent-start").write_text(STARTER, encoding="ascii")
    (scripts / "edgeagent-start").chmod(0o755)
    return site


def distributions(site: Path) -> dict[str, Message]:
    """Return the metadata of all distributions in ``site`` by their normal name."""
    found = {}
    for path in sorted(site.glob("*.dist-info/METADATA")):
        metadata = Parser().parsestr(path.read_text(encoding="utf-8"))
        found[canonicalize_name(metadata["Name"])] = metadata
    return found


def missing_requirements(site: Path, target: Target, extras: frozenset[str]) -> list[str]:
    """Return requirements, for the target and the extras of edgeagent, that ``site`` does not fulfil."""
    found = distributions(site)
    missing = []
    for name, metadata in found.items():
        for line in metadata.get_all("Requires-Dist", []):
            requirement = Requirement(line)
            wanted = ("", *extras) if name == "edgeagent" else ("",)
            environments = ({**target.markers, "extra": extra} for extra in wanted)
            if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
                continue
            other = found.get(canonicalize_name(requirement.name))
            if other is None or not requirement.specifier.contains(other["Version"], prereleases=True):
                missing.append(f"{name} needs {requirement}")
    return missing


def _remove(site: Path, pattern: str) -> None:
    if "/" in pattern or pattern == "bin":
        paths = list(site.glob(pattern))
    else:
        paths = [path for path in site.rglob("*") if fnmatch.fnmatch(path.name, pattern)]
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
