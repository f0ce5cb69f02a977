"""Typed configuration: every key with its default.

``config/edgeagent.yaml`` documents the same keys for operators; a test keeps the two equal.
Reading a file, and naming the line of a mistake, is in :mod:`edgeagent.settings_file`.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from edgeagent.accuracy.settings import AccuracySettings
from edgeagent.adaptive.settings import AdaptiveSettings
from edgeagent.delivery.settings import DeliverySettings
from edgeagent.runtime.delegates import CATALOGUE, ENGINES, EXTERNAL
from edgeagent.sensors.settings import PowerSettings
from edgeagent.settings_types import Bytes, Fraction, Seconds, Section, TopicLevel
from edgeagent.telemetry.home_assistant.settings import HomeAssistantSettings
from edgeagent.telemetry.prometheus.settings import PrometheusSettings
from edgeagent.telemetry.sparkplug.settings import SparkplugSettings

MOST_THREADS = 64
ENGINE_NAMES = ("auto", *ENGINES, *(delegate.name for delegate in CATALOGUE), EXTERNAL)


def _engine_names(value: str) -> str:
    for name in value.split(","):
        if name.strip() not in ENGINE_NAMES:
            raise ValueError(
                f"expected auto, or some of {', '.join(ENGINE_NAMES[1:])}; {name.strip()!r} is none"
            )
    return value


def _number_as_text(value: Any) -> Any:
    """Take ``source: 0`` and ``protocol: 5``, which YAML reads as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _file_name(value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Take any file name from a program; pydantic refuses those that are not UTF-8 as text."""
    if info.mode == "python" and isinstance(value, str) and any("\udc80" <= c <= "\udcff" for c in value):
        return value
    return validate(value)


class CameraSettings(Section):
    """One camera.

    Attributes:
        name: topic level of its detections.
        source: see docs/operations.md: a number or /dev/videoN, rtsp:// or http:// URL, ``gstreamer:``
            pipeline, ``picamera2:``, a video file, a folder of pictures.
        width, height, fps: asked of a live camera; the camera may answer with others.
        weight: share of the frames that are processed when there are more than the engine manages.
        pace: ``clock`` plays a file at its own frame rate, ``unthrottled`` as fast as it is processed.
        loop: start a file or folder again at its end.
        open_timeout, read_timeout: after which a camera counts as lost.
        retry_first, retry_longest: back-off between attempts to open a lost camera.
    """

    name: TopicLevel
    source: Annotated[
        str, StringConstraints(min_length=1), BeforeValidator(_number_as_text), WrapValidator(_file_name)
    ]
    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    pace: Literal["clock", "unthrottled"] = "clock"
    loop: bool = False
    open_timeout: Seconds = 10.0
    read_timeout: Seconds = 5.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 30.0


class LibrarySettings(Section):
    """A TFLite delegate that the catalogue does not know.

    Attributes:
        path: of its shared library.
        options: passed to it.
    """

    path: str
    options: dict[str, str] = Field(default_factory=dict)


class WorkerSettings(Section):
    """The process that the engine runs in.

    Attributes:
        cpus: processors that it may use; empty for all.
        nice: added to the agent's niceness; negative needs the permission.
    """

    cpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    nice: Annotated[int, Field(ge=-20, le=19)] = 0


class ModelSettings(Section):
    """Which model serves, and how.

    Attributes:
        bundle: directory of the bundle; None is the bundle that comes with the program.
        engine: ``auto`` takes the fastest delegate that is right; else names of delegates or engines,
            separated by commas, the first choice first.
        library: another TFLite delegate; ``tflite-external`` in ``engine``.
        threads: intra-operator threads; 0 takes what is faster: all processors, or all but one.
        check_every: between two checks of the serving delegate by the golden pictures.
        worker: the process that the engine runs in.
        score_threshold: detections below it are dropped.
        iou_threshold: of non-maximum suppression.
    """

    bundle: Path | None = None
    engine: Annotated[str, AfterValidator(_engine_names)] = "auto"
    library: LibrarySettings | None = None
    threads: Annotated[int, Field(ge=0, le=MOST_THREADS)] = 0
    check_every: Seconds = 300.0
    worker: WorkerSettings = WorkerSettings()
    score_threshold: Fraction = 0.3
    iou_threshold: Fraction = 0.65


class TlsSettings(Section):
    """TLS towards the broker.

    Attributes:
        ca: file with the certificates to trust; None trusts the system's.
        certificate, key: of this device, when the broker asks for them.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _key_with_certificate(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return self


class MqttSettings(Section):
    """The broker.

    Attributes:
        host: None runs without telemetry over MQTT.
        port: 8883 is usual with TLS.
        protocol: MQTT version, for brokers that do not speak 5.
        username: for password authentication.
        password_file: file whose first line is the password; kept out of the configuration.
        tls: None connects in clear text.
        keepalive: after which a silent device counts as offline is 1.5 times this.
        retry_first, retry_longest: back-off between attempts to connect.
        queue: QoS 1 messages kept in memory at most where the spool cannot take them.
        commands: whether the device obeys ``cmd``; a command can only choose among signed models.
    """

    host: str | None = None
    port: Annotated[int, Field(gt=0, lt=65536)] = 1883
    protocol: Annotated[Literal["5", "3.1.1"], BeforeValidator(_number_as_text)] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsSettings | None = None
    keepalive: Seconds = 30.0
    retry_first: Seconds = 1.0
    retry_longest: Seconds = 60.0
    queue: Annotated[int, Field(gt=0)] = 1000
    commands: bool = False

    @model_validator(mode="after")
    def _password_with_username(self) -> MqttSettings:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self

    @field_validator("tls", mode="before")
    @classmethod
    def _tls_is_never_left_open(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.mode == "json":  # ``tls:`` in a file, its keys left out
            raise ValueError("expected a section of keys; {} is TLS with defaults, no tls key is clear text")
        return value


class SpoolSettings(Section):
    """Where messages wait on the disk while the broker is away.

    Attributes:
        size: bytes of the file at most; the oldest telemetry makes room first, events last.
        age: of a message at most, in time for which the agent has run.
        replay: messages per second afterwards, beside new ones.
    """

    size: Annotated[Bytes, Field(ge=1_000_000)] = 50_000_000
    age: Seconds = 604800.0
    replay: Annotated[float, Field(gt=0)] = 20.0


class TelemetrySettings(Section):
    """What is reported, and how often.

    Attributes:
        interval: between telemetry messages.
        detections_rate: detection messages per second and camera at most; 0 sends none.
        detections_empty: also send frames without detections.
        spool: where messages wait on the disk; None keeps them in memory only.
    """

    interval: Seconds = 10.0
    detections_rate: Annotated[float, Field(ge=0)] = 5.0
    detections_empty: bool = False
    spool: SpoolSettings | None = SpoolSettings()


def _default_device() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "edgeagent"


class Settings(Section):
    """The whole configuration.

    Attributes:
        device: its name in topics.
        state: folder for what the agent remembers; None is systemd's, or the user's own.
        home_assistant: discovery by Home Assistant; None takes away what was announced.
        prometheus: where Prometheus may read; None opens no port.
        sparkplug: Sparkplug B beside the own topics; None publishes none.
        delivery: where models come from; None serves ``model.bundle`` for ever.
    """

    device: TopicLevel = Field(default_factory=_default_device)
    state: Path | None = None
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1)]
    model: ModelSettings = ModelSettings()
    mqtt: MqttSettings = MqttSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    power: PowerSettings = PowerSettings()
    adaptive: AdaptiveSettings = AdaptiveSettings()
    accuracy: AccuracySettings = AccuracySettings()
    home_assistant: HomeAssistantSettings | None = None
    prometheus: PrometheusSettings | None = None
    sparkplug: SparkplugSettings | None = None
    delivery: DeliverySettings | None = None

    @model_validator(mode="after")
    def _adapters_of_mqtt_need_a_broker(self) -> Settings:
        for name in ("home_assistant", "sparkplug"):
            if getattr(self, name) is not None and self.mqtt.host is None:
                raise ValueError(f"{name} needs a broker: give mqtt.host")
        return self

    @field_validator("cameras")
    @classmethod
    def _camera_names_are_unique(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        names = [camera.name for camera in cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"camera names must be unique; {', '.join(twice)} is used more than once")
        return cameras
