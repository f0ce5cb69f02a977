"""The Debian package that is tested, and trees in which it is installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.container import Overlay, run_in
from tests.system.debian_tree import cache_folder, debian_tree

ROOT = Path(__file__).parents[2]


def debian_package(architecture: str, system: str = "debian12") -> Path:
    """Return the newest package for a system and architecture: in ``$EDGEAGENT_DEBS``, or in dist."""
    folder = Path(os.environ.get("EDGEAGENT_DEBS", ROOT / "dist"))
    found = sorted(
        folder.glob(f"edgeagent_*~{system}_{architecture}.deb"), key=lambda one: one.stat().st_mtime
    )
    if not found:
        pytest.skip(
            f"no package of {system} for {architecture} in {folder}: "
            f"make deb SYSTEM={system} ARCH={architecture}"
        )
    return found[-1]


def package_key(package: Path) -> str:
    """Return a key of the content of a package."""
    return hashlib.sha256(package.read_bytes()).hexdigest()[:12]


def installed(architecture: str, system: str = "debian12") -> tuple[Path, ...]:
    """Return the layers of a tree of a system with the package installed, the uppermost first.

    They are kept in the cache, the last content of the package for each system and architecture.
    """
    package, tree = debian_package(architecture, system), debian_tree(architecture, system)
    layer = cache_folder() / f"installed-{tree.name}-{package_key(package)}"
    if not layer.is_dir():
        for old in cache_folder().glob(f"installed-{system}-{architecture}-*"):
            shutil.rmtree(old, ignore_errors=True)
        overlay = Overlay((tree,), layer.with_name(f"{layer.name}.{os.getpid()}"))
        try:
            overlay.make()
            run_in(overlay, "dpkg", "--install", f"/mnt/{package.name}", binds=(f"{package.parent}:/mnt",))
            overlay.upper.rename(layer)
        finally:
            shutil.rmtree(overlay.folder, ignore_errors=True)
    return layer, tree


def with_version(package: Path, version: str, folder: Path) -> Path:
    """Return a copy of a package under another version, for an upgrade or a downgrade."""
    target = folder / f"edgeagent_{version}.deb"
    root = folder / version
    subprocess.run(["dpkg-deb", "--raw-extract", package, root], check=True)
    control = root / "DEBIAN" / "control"
    lines = control.read_text(encoding="utf-8").splitlines()
    lines = [f"Version: {version}" if line.startswith("Version:") else line for line in lines]
    control.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", root, target], check=True)
    shutil.rmtree(root)
    return target
