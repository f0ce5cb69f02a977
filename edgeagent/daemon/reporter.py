"""Assembling messages from what the parts of the agent say about themselves."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence

import psutil

from edgeagent.bundle.manifest import Artefact, Manifest
from edgeagent.camera.capture import Camera
from edgeagent.daemon.device_report import device_fields
from edgeagent.daemon.device_watch import DeviceWatch
from edgeagent.engines.engine import EngineFacts
from edgeagent.files.naming import redact
from edgeagent.imaging.frame import Frame
from edgeagent.sensors.board import read_board
from edgeagent.sensors.footprint import Footprint
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.telemetry.contract.messages import (
    BoardInfo,
    BundleInfo,
    CameraInfo,
    CameraReport,
    DetectionsMessage,
    EngineInfo,
    Info,
    PublishedDetection,
    SpoolReport,
    StageReport,
    SystemReport,
    Telemetry,
)
from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.timing.histogram import Histogram, StageTimes
from edgeagent.timing.utc import utc_time
from edgeagent.version import __version__
from edgeagent.vision.detections import Detections

PACKAGES = ("onnxruntime", "ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "paho-mqtt")
MEGABYTE = 1e6


def build_info(
    manifest: Manifest, artefact: Artefact, engine: EngineFacts, cameras: Sequence[CameraSettings]
) -> Info:
    """Return the ``info`` message."""
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


def build_detections(
    frame: Frame, detections: Detections, labels: Sequence[str], delivered_ns: int, run: int | None
) -> DetectionsMessage:
    """Return the ``detections/<camera>`` message of a frame, at a monotonic time (ns) of a run."""
    height, width = frame.image.shape[:2]
    rows = zip(
        detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True
    )
    return DetectionsMessage(
        time=utc_time(frame.captured_utc),
        run=run,
        sequence=frame.sequence,
        width=width,
        height=height,
        latency_ms=round((delivered_ns - frame.captured_ns) / 1e6, 1),
        detections=tuple(
            PublishedDetection(
                label=labels[index], score=round(score, 3), box=tuple(round(value, 1) for value in box)
            )
            for box, score, index in rows
        ),
    )


class TelemetryReporter:
    """Builds the ``telemetry`` message of each interval.

    Args:
        cameras: as running.
        times: stage times by camera.
        failed: frames that an engine failed on, by camera.
        run: number of this start of the agent, None where it is not known.
        watch: of the board's sensors.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        times: Mapping[str, StageTimes],
        failed: Mapping[str, int],
        run: int | None,
        watch: DeviceWatch,
    ) -> None:
        self._cameras, self._times, self._failed, self._run = cameras, times, failed, run
        self._watch = watch
        self._started = self._last = time.monotonic()
        self._sequence = 0
        self._energy_j = 0.0
        self._footprint = Footprint()
        self._boot_id = read_board().boot_id
        psutil.cpu_percent()  # the first reading begins its interval

    def build(
        self,
        dropped: Mapping[str, int],
        spool: SpoolState | None,
        *,
        commands_ignored: int | None = None,
        certificates: Mapping[str, float] | None = None,
    ) -> Telemetry:
        """Return the message of the interval since the last call.

        Args:
            dropped: messages by stream, since the start.
            spool: None without one.
            commands_ignored: since the start; None where no commands are taken.
            certificates: days that they are still valid.
        """
        now = time.monotonic()
        interval, self._last = now - self._last, now
        self._sequence += 1
        return Telemetry(
            time=utc_time(time.time()),
            boot_id=self._boot_id,
            run=self._run,
            sequence=self._sequence,
            uptime_s=round(now - self._started, 1),
            interval_s=round(interval, 3),
            cameras={camera.name: self._camera(camera, interval) for camera in self._cameras},
            system=self._system(),
            messages_dropped=sum(dropped.values()),
            messages_dropped_by_stream=dict(dropped),
            commands_ignored=commands_ignored,
            certificates_days_left={name: round(days, 1) for name, days in (certificates or {}).items()}
            or None,
            spool=_spool_report(spool) if spool else None,
        )

    def _camera(self, camera: Camera, interval: float) -> CameraReport:
        status, times = camera.status(), self._times[camera.name]
        stages = times.interval()
        return CameraReport(
            state=status.state,
            fps_in=round(status.fps, 2),
            fps_processed=round(stages["end_to_end"].count / interval, 2),
            frames_captured=status.captured,
            frames_processed=times.total["end_to_end"].count,
            frames_dropped=status.dropped,
            frames_failed=self._failed.get(camera.name, 0),
            reconnects=status.reconnects,
            failures=status.failures,
            last_error=status.last_error,
            stages={stage: stage_report(histogram) for stage, histogram in stages.items()},
        )

    def _system(self) -> SystemReport:
        cpu_percent, resident = self._footprint.read()
        seen = self._watch.take()
        self._energy_j += seen.energy.joules if seen.energy else 0.0
        return SystemReport(
            cpu_percent=psutil.cpu_percent(),
            agent_cpu_percent=round(cpu_percent, 1),
            agent_rss_mb=round(resident / MEGABYTE, 1),
            memory_available_mb=round(psutil.virtual_memory().available / MEGABYTE, 1),
            **device_fields(seen, self._energy_j),
        )


def stage_report(histogram: Histogram) -> StageReport:
    """Return a stage's times as they are published."""
    percentiles = histogram.percentiles()
    return StageReport(
        count=percentiles.count,
        p50_ms=percentiles.p50,
        p90_ms=percentiles.p90,
        p99_ms=percentiles.p99,
        buckets=histogram.buckets(),
    )


def _spool_report(spool: SpoolState) -> SpoolReport:
    return SpoolReport(
        state="disk" if spool.on_disk else "memory",
        waiting=spool.waiting,
        size_mb=round(spool.size / MEGABYTE, 3),
        damaged=spool.damaged,
        written_mb=None if spool.written is None else round(spool.written / MEGABYTE, 3),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
