"""Message types of the MQTT contract, version 1 (docs/mqtt.md).

Units are part of the field names. An unknown value is absent: fields that are None are not sent.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from edgeagent.sensors.throttling import Flag
from edgeagent.telemetry.contract.objects import ObjectReport
from edgeagent.telemetry.contract.picture_class import AreaReport, ClassReport

ROOT = "edgeagent/v1"

Status = Literal["online", "stopped", "offline"]
ProblemCode = Literal[
    "starting",
    "not_detecting",
    "fallback_delegate",
    "update_rejected",
    "rolled_back",
    "throttled",
    "under_voltage",
    "drift",
    "certificate_expires",
    "internal_error",
    "page_unreachable",
    "camera_lost",
    "camera_unhealthy",
    "low_agreement",
    "delivery_unavailable",
    "repository_refused",
    "repository_expires",
    "agent_update_failed",
    "configuration_refused",
    "configuration_rolled_back",
]
EventKind = Literal[
    "delegate",
    "camera",
    "camera_health",
    "rate",
    "drift",
    "agreement",
    "presence",
    "label",
    "zone",
    "line",
    "update",
    "command",
    "settings",
    "certificate",
    "board",
    "fault",
]


class Message(BaseModel):
    """Base of all messages and of their sections."""

    model_config = ConfigDict(frozen=True)

    def payload(self) -> bytes:
        """Return the JSON to publish (UTF-8), without fields that are None."""
        return self.model_dump_json(exclude_none=True).encode()


class Numbered(Message):
    """Base of the messages of a stream without gaps.

    Attributes:
        time: UTC at which the message was built, ISO 8601.
        boot_id: boot ID of the kernel.
        run: number of this start of the agent, counted over all starts.
        sequence: number of this message in its stream, from 1 in every run.
        historical: true on a message that waited on the device before it was sent.
    """

    time: str
    boot_id: str | None = None
    run: int | None = None
    sequence: int
    historical: Literal[True] | None = None


class BoardInfo(Message):
    """Board: model, architecture, operating system and kernel."""

    model: str | None = None
    architecture: str
    system: str
    kernel: str


class BundleInfo(Message):
    """Bundle and artefact that serve."""

    name: str
    version: str
    artefact: str
    sha256: str


class EngineInfo(Message):
    """Inference engine and delegate that serve."""

    name: str
    version: str
    delegate: str
    threads: int
    load_s: float


class CameraInfo(Message):
    """Configured camera; ``source`` carries no credentials."""

    name: str
    source: str
    fps_asked: float | None = None


class Info(Message):
    """``info``: board, software, model, cameras and signed configuration of the device; retained."""

    time: str
    boot_id: str | None = None
    agent: str
    packages: dict[str, str]
    board: BoardInfo
    bundle: BundleInfo
    engine: EngineInfo
    cameras: tuple[CameraInfo, ...]
    configuration: str | None = None


class Problem(Message):
    """Problem of the device, or of one ``camera``; ``since`` is the time at which it began."""

    code: ProblemCode
    text: str
    camera: str | None = None
    since: str


class Alarm(Message):
    """``alarm``: current problems of the device; retained, with an empty list where there is none."""

    time: str
    boot_id: str | None = None
    serving: str | None = None
    problems: tuple[Problem, ...]


class Reply(Message):
    """``reply``: answer to a ``cmd`` or ``feedback``; ``request_id`` is absent where the request had none."""

    time: str
    request_id: str | None = None
    ok: bool
    error: str | None = None
    result: str | None = None
    historical: Literal[True] | None = None


class StageReport(Message):
    """Durations of one stage in the interval; a percentile without enough samples is absent.

    ``buckets`` is the histogram: see :mod:`edgeagent.timing.histogram`.
    """

    count: int
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    buckets: dict[int, int]


class MotionReport(Message):
    """Motion gate of a camera; counters run from the start of the agent, the share is of the interval.

    ``detected`` are the frames that the detector ran for, by reason.
    """

    frames_gated: int
    gated_share: float | None = None
    detected: dict[Literal["first", "motion", "whole_picture", "hold", "tracks", "timer"], int]


class DecoderReport(Message):
    """Decoder of a camera: ``software``, or the name of the hardware decoder, and what a frame costs."""

    codec: str
    name: str
    library: str
    hardware: bool
    frame_cpu_ms: float | None = None
    one_cpu_percent: float | None = None


class CameraReport(Message):
    """Camera in the interval; counters run from the start of the agent."""

    state: Literal["opening", "running", "lost", "ended"]
    fps_in: float
    fps_processed: float
    frames_captured: int
    frames_processed: int
    frames_dropped: int
    frames_failed: int
    frames_unreadable: int | None = None
    reconnects: int
    failures: int
    last_error: str | None = None
    objects: dict[str, ObjectReport] | None = None
    objects_left_out: int | None = None
    classification: ClassReport | None = None
    segmentation: AreaReport | None = None
    motion: MotionReport | None = None
    decoder: DecoderReport | None = None
    stages: dict[str, StageReport]


class PowerReport(Message):
    """Electrical power, with its source and the quality of the measurement."""

    watts: float
    source: str
    quality: Literal["measured rail", "module", "whole board", "estimated"]
    estimated_input_w: float | None = None


class EnergyReport(Message):
    """Energy of the interval and since the start; ``uncovered_s`` is time without a usable reading."""

    energy_j: float
    total_j: float
    covered_s: float
    uncovered_s: float
    source: str
    quality: Literal["measured rail", "module", "whole board", "estimated"]


class InferenceEnergyReport(Message):
    """Energy per inference: (used - idle) / inferences."""

    value_j: float
    used_j: float
    idle_j: float
    inferences: int
    idle: Literal["measured", "declared"]
    source: str
    quality: Literal["measured rail", "module", "whole board", "estimated"]


class ThrottlingReport(Message):
    """Supply and clock flags of the firmware."""

    now: tuple[Flag, ...]
    since_boot: tuple[Flag, ...] | None = None


class AcceleratorReport(Message):
    """Accelerator chip: Coral or Hailo."""

    temperature_c: float | None = None
    trip_points_c: tuple[float, ...] | None = None
    status: str | None = None


class SystemReport(Message):
    """Board and agent process in the interval: load, memory, temperature, power and clocks."""

    cpu_percent: float
    agent_cpu_percent: float
    agent_rss_mb: float
    memory_available_mb: float
    temperatures_c: dict[str, float]
    power: PowerReport | None = None
    energy: EnergyReport | None = None
    joules_per_inference: InferenceEnergyReport | None = None
    throttled: ThrottlingReport | None = None
    over_current: dict[str, int] | None = None
    cpu_frequency_mhz: dict[str, float] | None = None
    gpu_percent: float | None = None
    gpu_frequency_mhz: float | None = None
    accelerators: dict[str, AcceleratorReport] | None = None
    fps_limit: float | None = None


class SpoolReport(Message):
    """Spool of unsent messages (:mod:`edgeagent.telemetry.mqtt.spool`)."""

    state: Literal["disk", "memory"]
    waiting: int
    size_mb: float
    damaged: int
    written_mb: float | None = None


class Telemetry(Numbered):
    """``telemetry``: counters, latency and sensor readings of one interval."""

    uptime_s: float
    interval_s: float
    cameras: dict[str, CameraReport]
    system: SystemReport
    messages_dropped: int
    messages_dropped_by_stream: dict[str, int]
    commands_ignored: int | None = None
    certificates_days_left: dict[str, float] | None = None
    spool: SpoolReport | None = None


class Event(Numbered):
    """``events/<kind>``: decision of the device, or observed change."""

    kind: EventKind
    text: str
    data: dict[str, str | int | float | bool] | None = None


DetectionsReason = Literal["start", "objects", "moved", "refresh", "frame"]


class PublishedDetection(Message):
    """Detected object; ``box`` is x1, y1, x2, y2 in pixels of the frame."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class DetectionsMessage(Message):
    """``detections/<camera>``: objects detected in one frame."""

    time: str
    run: int | None = None
    sequence: int
    reason: DetectionsReason | None = None
    width: int
    height: int
    latency_ms: float
    detections: tuple[PublishedDetection, ...]


def historical(payload: bytes) -> bytes:
    """Return the JSON object of a message with ``historical: true``, for delayed delivery."""
    return payload.rstrip()[:-1] + b',"historical":true}'
