"""Signed apt repository in a folder: `python packaging/apt_repository.py --key KEY FOLDER PACKAGE.deb...`.

::

    FOLDER/pool/PACKAGE.deb
    FOLDER/dists/SUITE/{InRelease,Release,Release.gpg}, .../main/binary-ARCH/Packages{,.gz}
    FOLDER/edgeagent-archive-keyring.gpg    the public key, for Signed-By

A package is called by its control fields in the pool, whatever its file was called. Packages stay in the pool
until their file is removed from it, so that a board can go back to an older one.
The suite of a package is the code name of the system in its version. Any web server or USB stick serves it.
Format: https://wiki.debian.org/DebianRepository/Format.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from targets import MACHINES, RELEASES

KEYRING = "edgeagent-archive-keyring.gpg"


def name_in_pool(package: Path) -> str:
    """Return the name of a package from its control fields: ``edgeagent_0.1.0-1~debian12_arm64.deb``.

    Raises:
        SystemExit: the file is no package.
    """
    form = "${Package}_${Version}_${Architecture}.deb"
    command = ["dpkg-deb", "--show", f"--showformat={form}", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{package}: no Debian package ({done.stderr.strip()})")
    return done.stdout


def suite_of(package: Path) -> str:
    """Return the suite of a package in the pool from the system in its version, such as ``0.1.0-1~debian12``.

    Raises:
        SystemExit: the version names no system, or the architecture is none of the repository.
    """
    parts = package.stem.split("_")
    if len(parts) != 3 or parts[2] not in MACHINES:
        raise SystemExit(f"{package}: expected NAME_VERSION_ARCHITECTURE.deb for {' or '.join(MACHINES)}")
    system = parts[1].rpartition("~")[2]
    if system not in RELEASES:
        raise SystemExit(f"{package}: the version names none of the systems {', '.join(RELEASES)}")
    return RELEASES[system].suite


def package_entry(package: Path) -> str:
    """Return the paragraph of ``Packages`` for a package in the pool."""
    command = ["dpkg-deb", "-f", str(package)]
    control = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    content = package.read_bytes()
    return (
        f"{control.rstrip()}\nFilename: pool/{package.name}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def write_suite(folder: Path, suite: str, packages: list[Path]) -> Path:
    """Write the indexes of a suite; return its unsigned ``Release`` file."""
    root = folder / "dists" / suite
    sums = []
    for architecture in MACHINES:
        entries = [package_entry(path) for path in packages if path.stem.endswith(f"_{architecture}")]
        index = root / "main" / f"binary-{architecture}" / "Packages"
        index.parent.mkdir(parents=True, exist_ok=True)
        plain = "\n".join(entries).encode()
        for path, content in (
            (index, plain),
            (index.with_suffix(".gz"), gzip.compress(plain, 9, mtime=0)),
        ):
            path.write_bytes(content)
            sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {path.relative_to(root)}")
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    release = root / "Release"
    release.write_text(
        f"Origin: edgeagent\nLabel: edgeagent\nSuite: {suite}\nCodename: {suite}\n"
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S UTC', time.gmtime(seconds))}\n"
        f"Architectures: {' '.join(MACHINES)}\nComponents: main\n"
        "Description: INT8 object detection on edge boards\nSHA256:\n" + "\n".join(sums) + "\n",
        encoding="ascii",
    )
    return release


def sign(release: Path, key: str) -> None:
    """Sign ``Release`` with a key of the keyring of gpg: ``InRelease`` and ``Release.gpg``."""
    gpg = ["gpg", "--batch", "--yes", "--local-user", key, "--digest-algo", "SHA512"]
    for how, name in (("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")):
        subprocess.run(
            [*gpg, "--armor", "--output", str(release.with_name(name)), how, str(release)], check=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("packages", nargs="*", type=Path, metavar="PACKAGE.deb")
    parser.add_argument(
        "--key", required=True, help="fingerprint or address of the signing key in gpg's keyring"
    )
    arguments = parser.parse_args()
    pool = arguments.folder / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    for package in arguments.packages:
        place = pool / name_in_pool(package)
        suite_of(place)
        if not (place.exists() and place.samefile(package)):
            shutil.copyfile(package, place)
    suites: dict[str, list[Path]] = {release.suite: [] for release in RELEASES.values()}
    for package in sorted(pool.glob("*.deb")):
        suites[suite_of(package)].append(package)
    for suite, packages in suites.items():
        sign(write_suite(arguments.folder, suite, packages), arguments.key)
        print(f"{suite}: {len(packages)} packages")
    export = [
        "gpg",
        "--batch",
        "--yes",
        "--output",
        str(arguments.folder / KEYRING),
        "--export",
        arguments.key,
    ]
    subprocess.run(export, check=True)


if __name__ == "__main__":
    main()
