"""Cameras: those of the configuration, or those of the board. None is opened: an agent may be using it."""

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
"""Seconds that a network camera has to accept a connection."""


def check_cameras(around: ExaminedSystem) -> list[Finding]:
    """See whether what each camera is read from is there."""
    if around.settings is None:
        return _devices(around)
    return [_camera(around, camera) for camera in around.settings.cameras]


def _devices(around: ExaminedSystem) -> list[Finding]:
    nodes = sorted(around.root.glob("dev/video*"))
    if not nodes:
        return [
            Finding(
                "cameras", "not there", "no /dev/video*", "connect one, or name a stream in the configuration"
            )
        ]
    return [_device(around, f"camera {node.name}", node) for node in nodes]


def _camera(around: ExaminedSystem, camera: CameraSettings) -> Finding:
    about, source = f"camera {camera.name}", camera.source
    kind = source_kind(source)
    if kind == "device":
        path = Path(f"/dev/video{source}" if source.isdecimal() else source)
        return _device(around, about, around.root / path.relative_to("/"))
    if kind == "stream":
        return _stream(about, source)
    if kind == "picamera2" and importlib.util.find_spec("picamera2") is None:
        return Finding(about, "problem", "picamera2 is not installed", "install python3-picamera2")
    if kind == "path" and not Path(source).exists():
        return Finding(about, "problem", f"{printable(Path(source))} is not there", "correct its source")
    return Finding(about, "ok", f"{redact(source)} (not opened)")


def _device(around: ExaminedSystem, about: str, node: Path) -> Finding:
    shown = f"/{node.relative_to(around.root)}"
    name = read_file(around.root / "sys/class/video4linux" / node.name / "name")
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
            about, "problem", f"{shown}: no connection ({reason})", "see to the camera and the network"
        )
    return Finding(about, "ok", f"{shown} accepts connections (no picture asked)")
