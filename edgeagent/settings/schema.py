"""Configuration schema: every key with its type and default.

``config/edgeagent.yaml`` documents the same keys for operators; a test keeps both equal. Files are parsed in
:mod:`edgeagent.settings.file`.
"""

from __future__ import annotations

import difflib
import re
import socket
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.actions import ActionSettings
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.clips import ClipSettings
from edgeagent.settings.sections.delivery import DeliverySettings
from edgeagent.settings.sections.events import EventSettings
from edgeagent.settings.sections.frigate import FrigateSettings
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.objects import ObjectSettings
from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.settings.sections.power import PowerSettings
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.settings.sections.snapshots import SnapshotSettings
from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings
from edgeagent.settings.sections.tracking import TrackingSettings
from edgeagent.settings.sections.web import WebSettings
from edgeagent.settings.types import SettingsSection, TopicLevel

TOPICS = "edgeagent/v1"
"""Topic above those of all devices, as in docs/mqtt.md."""


def _default_device() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "edgeagent"


class _AnyCamera:
    """Place of a camera's name in the path of a key, such as ``cameras.yard.source``."""


def _inside(section: Any, step: str, path: str) -> Any:
    """Return what a key of a section holds: a section, :class:`_AnyCamera`, or None for a value."""
    if section is _AnyCamera:
        return CameraSettings
    if step not in section.model_fields:
        near = difflib.get_close_matches(step, section.model_fields, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(section.model_fields)}"
        raise ValueError(f"delivery.local: {path}: {step} is no key of the configuration; {advice}")
    if step == "cameras":
        return _AnyCamera
    for one in (section.model_fields[step].annotation, *get_args(section.model_fields[step].annotation)):
        if isinstance(one, type) and issubclass(one, SettingsSection):
            return one
    return None


class Settings(SettingsSection):
    """Complete configuration.

    Attributes:
        device: device name in MQTT topics.
        state: state folder of the agent; None uses the folder of the systemd unit or of the user.
        cameras: the cameras, at least one.
        model: model and engine.
        mqtt: broker connection.
        telemetry: telemetry messages and the spool.
        objects: labels that are counted and watched.
        tracking: identities of objects over time.
        events: the life of each object as messages.
        snapshots: pictures of objects on the disk; None stores none.
        clips: video of objects on the disk; None stores none.
        hard_frames: frames that are kept for labelling; None keeps none.
        actions: what is done when something happens.
        power: declared power of the board.
        adaptive: adaptive frame rate.
        accuracy: accuracy measurements during operation.
        home_assistant: Home Assistant discovery; None removes earlier announcements.
        prometheus: Prometheus endpoint; None opens no port.
        otlp: collector that metrics are sent to; None sends none.
        web: live page; None opens no port.
        sparkplug: Sparkplug B messages in addition to the native topics; None publishes none.
        frigate: topics of Frigate; None publishes none.
        delivery: model delivery; None always serves ``model.bundle``.
    """

    device: TopicLevel = Field(default_factory=_default_device)
    state: Path | None = None
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1)]
    model: ModelSettings = ModelSettings()
    mqtt: MqttSettings = MqttSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    objects: ObjectSettings = ObjectSettings()
    tracking: TrackingSettings = TrackingSettings()
    events: EventSettings = EventSettings()
    snapshots: SnapshotSettings | None = None
    clips: ClipSettings | None = None
    hard_frames: HardFrameSettings | None = None
    actions: ActionSettings = ActionSettings()
    power: PowerSettings = PowerSettings()
    adaptive: AdaptiveSettings = AdaptiveSettings()
    accuracy: AccuracySettings = AccuracySettings()
    home_assistant: HomeAssistantSettings | None = None
    prometheus: PrometheusSettings | None = None
    otlp: OtlpSettings | None = None
    web: WebSettings | None = None
    sparkplug: SparkplugSettings | None = None
    frigate: FrigateSettings | None = None
    delivery: DeliverySettings | None = None

    @model_validator(mode="after")
    def _adapters_of_mqtt_need_a_broker(self) -> Settings:
        for name in ("home_assistant", "sparkplug", "frigate"):
            if getattr(self, name) is not None and self.mqtt.host is None:
                raise ValueError(f"{name} needs a broker: give mqtt.host")
        return self

    @model_validator(mode="after")
    def _local_keys_are_known(self) -> Settings:
        for path in self.delivery.local if self.delivery is not None else ():
            section: Any = type(self)
            for step in path.split("."):
                if section is None:
                    raise ValueError(f"delivery.local: {path}: is no key of the configuration")
                section = _inside(section, step, path)
        return self

    @model_validator(mode="after")
    def _actions_can_happen(self) -> Settings:
        rules = self.actions.rules
        if rules and self.tracking.tracker == "off":
            raise ValueError("actions need tracked objects: choose a tracking.tracker")
        for rule in rules:
            if rule.mqtt is not None and self.mqtt.host is None:
                raise ValueError(f"actions: rule {rule.name} needs a broker: give mqtt.host")
            if rule.mqtt is not None and f"{rule.mqtt.topic}/".startswith(f"{TOPICS}/{self.device}/"):
                raise ValueError(
                    f"actions: rule {rule.name}: {rule.mqtt.topic} is a topic of this device itself, whose "
                    "messages and commands it would imitate; choose another"
                )
            places = (
                ("camera", rule.when.cameras, {camera.name for camera in self.cameras}),
                ("zone", rule.when.zones, {zone.name for camera in self.cameras for zone in camera.zones}),
                ("line", rule.when.lines, {line.name for camera in self.cameras for line in camera.lines}),
            )
            for kind, named, known in places:
                if unknown := sorted(set(named) - known):
                    raise ValueError(f"actions: rule {rule.name}: there is no {kind} {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _clips_hide_nothing(self) -> Settings:
        if self.clips is None:
            return self
        names = {camera.name for camera in self.cameras}
        for camera in self.cameras:
            if self.clips.wants(camera.name) and any(mask.kind == "privacy" for mask in camera.masks):
                raise ValueError(
                    f"clips: camera {camera.name} has a privacy mask, and clips are stored as the "
                    "camera sends them; leave it out of clips.cameras, or let the camera itself mask the area"
                )
        unknown = sorted(set(self.clips.cameras) - names)
        if unknown:
            raise ValueError(f"clips.cameras: there is no camera {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _frigate_can_name_all(self) -> Settings:
        if self.frigate is None:
            return self
        if self.tracking.tracker == "off":
            raise ValueError("frigate needs tracked objects: choose a tracking.tracker")
        cameras = {camera.name for camera in self.cameras}
        both = sorted({zone.name for camera in self.cameras for zone in camera.zones} & cameras)
        if both:
            raise ValueError(f"frigate: {', '.join(both)} is the name of a camera and a zone; rename one")
        return self

    @field_validator("cameras")
    @classmethod
    def _camera_names_are_unique(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        names = [camera.name for camera in cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"camera names must be unique; {', '.join(twice)} is used more than once")
        return cameras
