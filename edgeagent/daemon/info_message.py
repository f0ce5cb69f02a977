"""Message ``info``: board, software, serving model and cameras."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence

from edgeagent.bundle.manifest import Artefact, Manifest
from edgeagent.engines.engine import EngineFacts
from edgeagent.files.naming import redact
from edgeagent.sensors.board import read_board
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.telemetry.contract.messages import BoardInfo, BundleInfo, CameraInfo, EngineInfo, Info
from edgeagent.timing.utc import utc_time
from edgeagent.version import __version__

PACKAGES = ("onnxruntime", "ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "paho-mqtt")


def build_info(
    manifest: Manifest, artefact: Artefact, engine: EngineFacts, cameras: Sequence[CameraSettings]
) -> Info:
    """Return the message; sources of cameras are published without credentials.

    Args:
        manifest: manifest of the serving bundle.
        artefact: artefact that serves.
        engine: properties of the engine that serves.
        cameras: settings of all cameras.
    """
    board = read_board()
    return Info(
        time=utc_time(time.time()),
        boot_id=board.boot_id,
        agent=__version__,
        packages=_versions(),
        board=BoardInfo(
            model=board.model, architecture=board.architecture, system=board.system, kernel=board.kernel
        ),
        bundle=BundleInfo(
            name=manifest.name, version=manifest.version, artefact=artefact.file, sha256=artefact.sha256
        ),
        engine=EngineInfo(
            name=engine.engine,
            version=engine.version,
            delegate=engine.delegate,
            threads=engine.threads,
            load_s=round(engine.load_s, 3),
        ),
        cameras=tuple(
            CameraInfo(name=camera.name, source=redact(camera.source), fps_asked=camera.fps)
            for camera in cameras
        ),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
