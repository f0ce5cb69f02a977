"""Running a command on a small file system of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$0"; shift; exec "$@"'


def on_small_disk(directory: Path, size: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that sees an empty disk of ``size`` at ``directory``; skip where that is not allowed."""
    mount = [*_UNSHARE, _MOUNT, str(directory), size]
    try:
        probe = subprocess.run([*mount, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if probe.returncode:
        pytest.skip("this machine gives no user namespace in which a small disk can be mounted")
    return subprocess.run([*mount, *command], capture_output=True, text=True, cwd=ROOT, check=False)
