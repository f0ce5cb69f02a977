"""Configuration schema: every key with its type and default.

``config/edgeagent.yaml`` documents the same keys for operators; a test keeps both equal. Files are parsed in
:mod:`edgeagent.settings.file`.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.delivery import DeliverySettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.objects import ObjectSettings
from edgeagent.settings.sections.power import PowerSettings
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.settings.sections.telemetry import TelemetrySettings
from edgeagent.settings.types import SettingsSection, TopicLevel


def _default_device() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "edgeagent"


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
        power: declared power of the board.
        adaptive: adaptive frame rate.
        accuracy: accuracy measurements during operation.
        home_assistant: Home Assistant discovery; None removes earlier announcements.
        prometheus: Prometheus endpoint; None opens no port.
        sparkplug: Sparkplug B messages in addition to the native topics; None publishes none.
        delivery: model delivery; None always serves ``model.bundle``.
    """

    device: TopicLevel = Field(default_factory=_default_device)
    state: Path | None = None
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1)]
    model: ModelSettings = ModelSettings()
    mqtt: MqttSettings = MqttSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    objects: ObjectSettings = ObjectSettings()
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
