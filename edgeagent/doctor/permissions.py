"""Check of permissions: groups that own the device nodes of this board, and membership of this user."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from edgeagent.doctor.finding import ExaminedSystem, Finding

DEVICES = {
    "video": ("dev/video*", "dev/nvhost-gpu", "dev/nvmap"),
    "render": ("dev/dri/renderD*", "dev/accel/accel*"),
    "apex": ("dev/apex_*",),
    "hailo": ("dev/hailo*",),
}
"""Device nodes by their usual group; USB accelerators (group plugdev) are checked with the delegates."""


def check_groups(system: ExaminedSystem) -> list[Finding]:
    """Check that this user can access the device nodes present."""
    numbers = {os.getegid(), *os.getgroups()}
    groups = sorted(group for number in numbers if (group := _name(number)))
    findings = [Finding("user", "ok", f"{_user()}, groups {', '.join(groups) or 'without names'}")]
    for group, patterns in DEVICES.items():
        nodes = [path for pattern in patterns for path in sorted(system.root.glob(pattern))]
        if nodes:
            findings.append(_group_finding(system, group, nodes))
    return findings


def _group_finding(system: ExaminedSystem, usual: str, nodes: list[Path]) -> Finding:
    refused = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if not refused:
        return Finding(f"group {usual}", "ok", f"{len(nodes)} device nodes accessible")
    group = _name(refused[0].stat().st_gid) or usual
    action = f"usermod -aG {usual if group == 'root' else group} USER, and restart the agent"
    shown = f"/{refused[0].relative_to(system.root)}"
    return Finding(f"group {usual}", "problem", f"no permission on {shown}", action)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container
        return str(os.geteuid())


def _name(number: int) -> str | None:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return None
