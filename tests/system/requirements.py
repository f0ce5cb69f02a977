"""What the tests of whole systems need; they skip with a reason where it is absent."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

VARIABLE = "EDGEAGENT_SYSTEM"
"""``short`` or ``full`` runs the tests of this folder; ``full`` those that take many minutes, too."""
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "nsenter": "util-linux",
}
_PROBE = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && mount -t overlay overlay " + (
    "-o lowerdir=/mnt/a,upperdir=/mnt/b,workdir=/mnt/c /mnt/a"
)


def asked_for() -> str:
    """Return ``short`` or ``full``; skip the test where systems are not asked for."""
    mode = os.environ.get(VARIABLE, "")
    if mode not in ("short", "full"):
        pytest.skip(f"boots whole systems for minutes: make system-test, or {VARIABLE}=short or full")
    return mode


def need_machines() -> None:
    """Skip the test where this computer cannot boot a machine of its own."""
    asked_for()
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts overlays and boots systemd")
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        pytest.skip(f"needs the Debian packages {', '.join(missing)}")
    probe = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", _PROBE], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"no overlay may be mounted here: {probe.stderr.strip()}")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("the control groups are read-only here: systemd cannot boot")
