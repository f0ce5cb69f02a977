"""Builder of the message ``telemetry`` from counters and sensors of the agent's parts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import psutil

from edgeagent.camera.capture import Camera
from edgeagent.camera.status import CameraStatus
from edgeagent.daemon.area_watch import AreaWatch
from edgeagent.daemon.class_watch import ClassWatch
from edgeagent.daemon.device_watch import DeviceWatch
from edgeagent.daemon.object_watch import ObjectWatch
from edgeagent.daemon.sensor_report import sensor_fields
from edgeagent.detection.motion_gate import GateReason, MotionGate
from edgeagent.sensors.board import read_board
from edgeagent.sensors.footprint import Footprint
from edgeagent.telemetry.contract.messages import (
    CameraReport,
    DecoderReport,
    MotionReport,
    SpoolReport,
    StageReport,
    SystemReport,
    Telemetry,
)
from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.timing.histogram import Histogram, StageTimes
from edgeagent.timing.utc import utc_time

MEGABYTE = 1e6


@dataclass(frozen=True)
class CameraCounters:
    """What is counted of the cameras.

    Attributes:
        cameras: running cameras.
        times: stage times by camera.
        failed: number of frames on which an engine failed, by camera.
        objects: counts of objects.
        gates: motion gates by camera.
        classes: classes of pictures; None without a watch of these.
        areas: classes of pixels; None without a watch of these.
    """

    cameras: Sequence[Camera]
    times: Mapping[str, StageTimes]
    failed: Mapping[str, int]
    objects: ObjectWatch
    gates: Mapping[str, MotionGate] = field(default_factory=dict)
    classes: ClassWatch | None = None
    areas: AreaWatch | None = None


class TelemetryReporter:
    """Builder of the ``telemetry`` message of each interval.

    Args:
        counters: what is counted of the cameras.
        run: number of this start of the agent, None where it is unknown.
        watch: watch of the board's sensors.
    """

    def __init__(self, counters: CameraCounters, run: int | None, watch: DeviceWatch) -> None:
        self._cameras, self._times, self._failed = counters.cameras, counters.times, counters.failed
        self._objects, self._run, self._watch = counters.objects, run, watch
        self._classes, self._areas = counters.classes, counters.areas
        self._gates, self._gated_before = counters.gates, dict.fromkeys(counters.gates, 0)
        self._started = self._last = time.monotonic()
        self._sequence = 0
        self._energy_j = 0.0
        self._footprint = Footprint()
        self._boot_id = read_board().boot_id
        psutil.cpu_percent()  # the first call starts its interval

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
            dropped: number of lost messages by stream, since the start.
            spool: state of the spool; None without one.
            commands_ignored: number of ignored commands since the start; None where none are accepted.
            certificates: days until each certificate expires, by name.
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

    def refresh(self, telemetry: Telemetry, dropped: Mapping[str, int]) -> Telemetry:
        """Return the telemetry of an interval with the counters, states and objects of now.

        Args:
            telemetry: message of an earlier interval.
            dropped: number of lost messages by stream, since the start.
        """
        present = {camera.name: camera for camera in self._cameras}
        cameras = {name: report for name, report in telemetry.cameras.items() if name in present}
        for camera in (present[name] for name in cameras):
            status = camera.status()
            counters = {
                "state": status.state,
                "frames_captured": status.captured,
                "frames_processed": self._processed(camera.name),
                "frames_dropped": status.dropped,
                "frames_failed": self._failed.get(camera.name, 0),
                "reconnects": status.reconnects,
                "failures": status.failures,
            }
            report = cameras[camera.name]
            newest = self._objects.newest(camera.name)
            objects = {
                label: each.model_copy(update={"current": newest.get(label, each.current)})
                for label, each in (report.objects or {}).items()
            }
            cameras[camera.name] = report.model_copy(update={**counters, "objects": objects or None})
        lost = {"messages_dropped": sum(dropped.values()), "messages_dropped_by_stream": dict(dropped)}
        return telemetry.model_copy(update={"cameras": cameras, **lost})

    def _camera(self, camera: Camera, interval: float) -> CameraReport:
        status, times = camera.status(), self._times[camera.name]
        stages = times.interval()
        detected, gated = stages["end_to_end"].count, self._gated_since(camera.name)
        return CameraReport(
            state=status.state,
            fps_in=round(status.fps, 2),
            fps_processed=round((detected + gated) / interval, 2),
            frames_captured=status.captured,
            frames_processed=self._processed(camera.name),
            frames_dropped=status.dropped,
            frames_failed=self._failed.get(camera.name, 0),
            frames_unreadable=status.unreadable,
            reconnects=status.reconnects,
            failures=status.failures,
            last_error=status.last_error,
            objects=self._objects.take(camera.name),
            objects_left_out=self._objects.left_out(camera.name),
            classification=self._classes.take(camera.name) if self._classes else None,
            segmentation=self._areas.take(camera.name) if self._areas else None,
            motion=self._motion(camera.name, detected, gated),
            decoder=decoder_report(status),
            stages={stage: stage_report(histogram) for stage, histogram in stages.items()},
        )

    def _processed(self, camera: str) -> int:
        """Return the number of processed frames, those in which nothing moved included."""
        gate = self._gates.get(camera)
        return self._times[camera].total["end_to_end"].count + (gate.gated if gate is not None else 0)

    def _gated_since(self, camera: str) -> int:
        """Return the number of gated frames since the last call."""
        gate = self._gates.get(camera)
        if gate is None:
            return 0
        before, self._gated_before[camera] = self._gated_before.get(camera, 0), gate.gated
        return max(0, gate.gated - before)  # a gate that was changed counts from 0

    def _motion(self, camera: str, detected: int, gated: int) -> MotionReport | None:
        gate = self._gates.get(camera)
        if gate is None:
            return None
        frames = detected + gated
        return MotionReport(
            frames_gated=gate.gated,
            gated_share=round(gated / frames, 3) if frames else None,
            detected={reason: gate.detected[reason] for reason in get_args(GateReason)},
        )

    def _system(self) -> SystemReport:
        cpu_percent, resident = self._footprint.read()
        interval = self._watch.take()
        self._energy_j += interval.energy.joules if interval.energy else 0.0
        return SystemReport(
            cpu_percent=psutil.cpu_percent(),
            agent_cpu_percent=round(cpu_percent, 1),
            agent_rss_mb=round(resident / MEGABYTE, 1),
            memory_available_mb=round(psutil.virtual_memory().available / MEGABYTE, 1),
            **sensor_fields(interval, self._energy_j),
        )


def decoder_report(status: CameraStatus) -> DecoderReport | None:
    """Return the decoder of a camera as it is published; None where it is not known."""
    decoding = status.decoding
    if decoding is None:
        return None
    share = None if decoding.cpu_ms is None else round(decoding.cpu_ms * status.fps / 10, 1)
    return DecoderReport(
        codec=decoding.codec,
        name=decoding.decoder,
        library=decoding.library,
        hardware=decoding.hardware,
        frame_cpu_ms=None if decoding.cpu_ms is None else round(decoding.cpu_ms, 3),
        one_cpu_percent=share,
    )


def stage_report(histogram: Histogram) -> StageReport:
    """Return the durations of a stage as they are published; a percentile without enough samples is None."""
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
