"""Check of the configured cameras, or of the board's. None is opened, because an agent may be using it."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from edgeagent.camera.sources import source_kind
from edgeagent.camera.stream import DEFAULT_PORTS
from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.files.naming import printable, redact
from edgeagent.settings.sections.camera import CameraSettings

CONNECT_S = 3.0
"""Seconds within which a network camera must accept a connection."""


def check_cameras(system: ExaminedSystem) -> list[Finding]:
    """Check that the source of each camera is present and accessible."""
    if system.settings is None:
        return _devices(system)
    return [_camera(system, camera) for camera in system.settings.cameras]


def _devices(system: ExaminedSystem) -> list[Finding]:
    nodes = sorted(system.root.glob("dev/video*"))
    if not nodes:
        return [
            Finding(
                "cameras", "not there", "no /dev/video*", "connect one, or name a stream in the configuration"
            )
        ]
    return [_device(system, f"camera {node.name}", node) for node in nodes]


def _camera(system: ExaminedSystem, camera: CameraSettings) -> Finding:
    about, source = f"camera {camera.name}", camera.source
    kind = source_kind(source)
    if kind == "device":
        path = Path(f"/dev/video{source}" if source.isdecimal() else source)
        return _device(system, about, system.root / path.relative_to("/"))
    if kind == "stream":
        return _stream(about, source)
    if kind == "picamera2" and importlib.util.find_spec("picamera2") is None:
        return Finding(about, "problem", "picamera2 is not installed", "install python3-picamera2")
    if kind == "path" and not Path(source).exists():
        return Finding(about, "problem", f"{printable(Path(source))} is not there", "correct its source")
    return Finding(about, "ok", f"{redact(source)} (not opened)")


def _device(system: ExaminedSystem, about: str, node: Path) -> Finding:
    shown = f"/{node.relative_to(system.root)}"
    name = read_file(system.root / "sys/class/video4linux" / node.name / "name")
    if not node.exists():
        return Finding(about, "problem", f"{shown} is not there", "connect the camera, or correct its source")
    if not os.access(node, os.R_OK | os.W_OK):
        return Finding(about, "problem", f"no permission on {shown}", "add the user to group video")
    return Finding(about, "ok", f"{shown}{f' ({name})' if name else ''}")


def _stream(about: str, source: str) -> Finding:
    parts = urlsplit(source)
    port = parts.port or DEFAULT_PORTS[parts.scheme.lower()]
    shown = re.sub(r"\s", " ", redact(source))
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(
            about, "problem", f"{shown}: no connection ({reason})", "check the camera and the network"
        )
    return Finding(about, "ok", f"{shown} accepts connections (no frame requested)")
