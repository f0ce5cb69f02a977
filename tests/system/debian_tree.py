"""Trees of Debian and Ubuntu, made once by mmdebstrap and kept in a cache folder.

Packages of amd64 are installed; those of arm64 are only unpacked, as their scripts take most of an hour under
emulation, and nothing boots there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SUITES: dict[str, tuple[str, ...]] = {
    "debian12": ("bookworm",),
    "debian13": ("trixie",),
    "ubuntu24.04": (
        "--components=main,universe",
        "--keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        *("noble", "http://archive.ubuntu.com/ubuntu"),
    ),
}
"""Options, code name and mirror for mmdebstrap of the systems in ``packaging/targets.py`` that are tried."""
VARIANTS = {"amd64": "minbase", "arm64": "extract"}
# What mmdebstrap mounts in the tree is seen by it alone and ends with it: an unfinished tree can be removed.
ALONE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")
PACKAGES = {
    "amd64": (
        *("systemd-sysv", "dbus", "udev", "procps", "iproute2", "mosquitto", "mosquitto-clients"),
        *("ca-certificates", "python3", "python3-yaml", "libgomp1", "libstdc++6", "zlib1g"),
    ),
    "arm64": (
        *("bash", "coreutils", "dash", "diffutils", "dpkg", "findutils", "grep", "libc-bin", "sed", "tar"),
        *("perl-base", "base-files", "base-passwd", "debianutils"),
        *("systemd", "init-system-helpers", "procps", "python3", "libgomp1", "libstdc++6", "zlib1g"),
    ),
}


def cache_folder() -> Path:
    """Return the folder of trees: ``$EDGEAGENT_SYSTEM_CACHE``, or one below ``~/.cache``."""
    folder = os.environ.get("EDGEAGENT_SYSTEM_CACHE")
    return Path(folder) if folder else Path.home() / ".cache" / "edgeagent-system-test"


def debian_tree(architecture: str, system: str = "debian12") -> Path:
    """Return a tree of a system and architecture; make it the first time, which takes some minutes.

    Nobody writes into it: machines and packages lie in overlays above it.
    """
    packages, release = PACKAGES[architecture], SUITES[system]
    key = hashlib.sha256(" ".join((*release, *packages)).encode()).hexdigest()[:12]
    tree = cache_folder() / f"{system}-{architecture}-{key}"
    if tree.is_dir():
        return tree
    cache_folder().mkdir(parents=True, exist_ok=True)
    unfinished = tree.with_name(f"{tree.name}.{os.getpid()}")
    try:
        done = subprocess.run(
            _maker(architecture, release, unfinished), capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no tree of {system} {architecture} can be made here: {done.stderr.strip()[-500:]}")
        unfinished.chmod(0o755)
        for name, text in (("hostname", "board\n"), ("hosts", "127.0.0.1 localhost board\n")):
            (unfinished / "etc" / name).write_text(text, encoding="utf-8")
        (unfinished / "etc/machine-id").write_text("uninitialized\n", encoding="utf-8")
        (unfinished / "etc/resolv.conf").unlink(missing_ok=True)
        unfinished.rename(tree)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return tree


def _maker(architecture: str, release: Sequence[str], tree: Path) -> list[str]:
    """Return a command that makes a tree; the mirror, where there is one, comes behind the tree."""
    *options, suite = [word for word in release if "://" not in word]
    mirror = [word for word in release if "://" in word]
    command = [*ALONE, "mmdebstrap", "--quiet", f"--variant={VARIANTS[architecture]}", "--format=directory"]
    command += [f"--architectures={architecture}", f"--include={','.join(PACKAGES[architecture])}"]
    return [*command, *options, suite, str(tree), *mirror]
