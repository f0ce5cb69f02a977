from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNIT = SYSTEMD / "edgeagent.service"
PROGRAM = "/opt/edgeagent/bin/edgeagent"


def tool(name: str) -> str:
    """Return the path of a systemd tool; continuous integration must have it."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed; install the package systemd")
        pytest.skip(f"{name} is not installed (package systemd)")
    return path


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("systemd-analyze"), "--man=no", "verify", str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def copy(directory: Path, old: str, new: str) -> Path:
    """Copy the unit with the program replaced by one that exists here, and one more change."""
    text = UNIT.read_text(encoding="utf-8")
    assert PROGRAM in text
    assert old in text
    target = directory / UNIT.name
    target.write_text(text.replace(old, new).replace(PROGRAM, sys.executable), encoding="utf-8")
    return target


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    done = verify(copy(tmp_path, "[Unit]", "[Unit]"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RestartSec=5s", "RestartSec=soon"),
        ("KillMode=mixed", "KillMod=mixed"),
        (PROGRAM, "/nonexistent/program"),
    ],
)
def test_the_check_sees_mistakes(tmp_path: Path, old: str, new: str) -> None:
    done = verify(copy(tmp_path, old, new))
    assert done.returncode != 0 or done.stderr


def test_the_unit_does_what_operators_rely_on() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "User=edgeagent",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "After=network.target",
        "StateDirectory=edgeagent",
        f"ExecStart={PROGRAM} run -c /etc/edgeagent/edgeagent.yaml",
    ):
        assert line in lines
    assert not any("network-online" in line for line in lines)


def test_the_user_is_created_with_its_groups(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    configuration = SYSTEMD / "edgeagent.sysusers"
    command = [tool("systemd-sysusers"), f"--root={root}", str(configuration)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    users = (root / "etc/passwd").read_text().splitlines()
    groups = dict(line.split(":", 1) for line in (root / "etc/group").read_text().splitlines())
    assert any(line.startswith("edgeagent:") and ":/var/lib/edgeagent:" in line for line in users)
    for group in ("video", "render", "plugdev"):
        assert groups[group].endswith(":edgeagent")
