"""Debian package: `python packaging/build_deb.py --system debian12 --arch arm64`, in dist by default.

Equal bytes for equal sources and equal SOURCE_DATE_EPOCH. Nothing of the target runs here, so any machine
with dpkg-deb and pip builds for every system and architecture.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template

from build_wheel import build_archives, source_date
from licences import copyright_text
from lock import EXTRAS
from targets import MACHINES, RELEASES, ROOT, Target
from tree import install_program, missing_requirements

DEBIAN = ROOT / "packaging" / "debian"
# Files of the project and their places on the target; a pattern may match nothing.
PLACES = {
    "config/edgeagent.yaml": "etc/edgeagent/edgeagent.yaml",
    "systemd/edgeagent.service": "usr/lib/systemd/system/",
    "systemd/edgeagent.path": "usr/lib/systemd/system/",
    "systemd/edgeagent.timer": "usr/lib/systemd/system/",
    "systemd/edgeagent-provision.service": "usr/lib/systemd/system/",
    "systemd/media-edgeagent.mount": "usr/lib/systemd/system/",
    "systemd/edgeagent-publish-refresh.service": "usr/share/doc/edgeagent/examples/",
    "systemd/edgeagent-publish-refresh.timer": "usr/share/doc/edgeagent/examples/",
    "systemd/edgeagent-detector.service": "usr/share/doc/edgeagent/examples/",
    "systemd/jetson.conf": "usr/share/doc/edgeagent/examples/",
    "systemd/edgeagent.sysusers": "usr/lib/sysusers.d/edgeagent.conf",
    "systemd/edgeagent.tmpfiles": "usr/lib/tmpfiles.d/edgeagent.conf",
    "systemd/*.rules": "usr/lib/udev/rules.d/",
    "NOTICE": "usr/share/doc/edgeagent/NOTICE",
    "packaging/debian/lintian-overrides": "usr/share/lintian/overrides/edgeagent",
    "packaging/debian/bash-completion": "usr/share/bash-completion/completions/edgeagent",
}
SCRIPTS = ("postinst", "prerm", "postrm")


def package_version(target: Target, revision: str) -> str:
    """Return the Debian version: that of the program, a revision, and the system."""
    names: dict[str, str] = {}
    exec((ROOT / "edgeagent" / "version.py").read_text(encoding="utf-8"), names)  # noqa: S102  (own file)
    return f"{names['__version__']}-{revision}~{target.system}"


def fill(root: Path, target: Target, version: str, lock: Path) -> None:
    """Lay all files of the package under ``root``."""
    with tempfile.TemporaryDirectory() as folder:
        build_archives(Path(folder))
        (wheel,) = Path(folder).glob("*.whl")
        site = install_program(root, target, lock, wheel)
    if lock == target.lock:
        missing = missing_requirements(site, target, frozenset(EXTRAS.split(",")))
        if missing:
            sys.exit(f"{lock.name} lacks, run packaging/lock.py: " + "; ".join(missing))
    for pattern, place in PLACES.items():
        for source in sorted(ROOT.glob(pattern)):
            to = root / place / source.name if place.endswith("/") else root / place
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, to)
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "usr" / "bin" / "edgeagent").symlink_to("/opt/edgeagent/bin/edgeagent")
    doc = root / "usr" / "share" / "doc" / "edgeagent"
    date = time.gmtime(int(source_date()))
    (doc / "copyright").write_text(copyright_text(root, site, date.tm_year), encoding="utf-8")
    day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", date)
    entry = f"edgeagent ({version}) {target.release.suite}; urgency=medium\n\n  * Changes: changelog.gz.\n\n"
    entry += f" -- the edgeagent authors <edgeagent@localhost>  {day}\n"
    _compress(doc / "changelog.Debian.gz", entry.encode())
    _compress(doc / "changelog.gz", (ROOT / "CHANGELOG.md").read_bytes())
    manual = root / "usr" / "share" / "man" / "man1" / "edgeagent.1.gz"
    manual.parent.mkdir(parents=True)
    _compress(manual, (DEBIAN / "edgeagent.1").read_bytes())


def _compress(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def describe(root: Path, target: Target, version: str) -> None:
    """Write the control files: control, conffiles, md5sums and the maintainer scripts."""
    control = root / "DEBIAN"
    control.mkdir()
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    values = {
        "version": version,
        "architecture": target.architecture,
        "python": target.release.python,
        "size": str(sum(-(-path.stat().st_size // 1024) for path in files)),
    }
    template = Template((DEBIAN / "control.in").read_text(encoding="utf-8"))
    (control / "control").write_text(template.substitute(values), encoding="utf-8")
    (control / "conffiles").write_text("/etc/edgeagent/edgeagent.yaml\n", encoding="ascii")
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
        if path.relative_to(root).parts[0] != "etc"
    )
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    for name in SCRIPTS:
        shutil.copyfile(DEBIAN / name, control / name)


def settle(root: Path, date: int) -> None:
    """Give every file its mode and no time after ``date``."""
    scripts = root / "opt/edgeagent/bin"
    programs = {scripts / "edgeagent", scripts / "edgeagent-start"}
    programs |= {root / "DEBIAN" / name for name in SCRIPTS}
    for path in sorted(root.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)
        os.utime(path, (date, date), follow_symlinks=False)
    (root / "etc/edgeagent/edgeagent.yaml").chmod(0o640)  # may hold addresses of cameras with passwords
    root.chmod(0o755)
    os.utime(root, (date, date))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=RELEASES, default="debian12")
    parser.add_argument("--arch", choices=MACHINES, default="amd64")
    parser.add_argument("--revision", default="1", help="Debian revision (default: 1)")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--lock", type=Path, help="other lock of wheels, whose completeness is not checked")
    parser.add_argument("--compress", default="xz", help="xz, gzip or none")
    arguments = parser.parse_args()
    target = Target(arguments.system, arguments.arch)
    version = package_version(target, arguments.revision)
    arguments.out.mkdir(parents=True, exist_ok=True)
    package = arguments.out / f"edgeagent_{version}_{target.architecture}.deb"
    date = source_date()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        fill(root, target, version, arguments.lock or target.lock)
        describe(root, target, version)
        settle(root, int(date))
        command = [
            "dpkg-deb",
            "--root-owner-group",
            f"-Z{arguments.compress}",
            "--build",
            str(root),
            str(package),
        ]
        subprocess.run(
            command, env={**os.environ, "SOURCE_DATE_EPOCH": date}, check=True, stdout=subprocess.DEVNULL
        )
    print(f"{package} {package.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
