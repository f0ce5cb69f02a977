"""The contract in other words: Home Assistant, Prometheus and Sparkplug B, each where it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeagent.detection.pipeline import Result
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.telemetry.home_assistant.announcer import Announcer, Withdrawal
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.pictures import Pictures
from edgeagent.telemetry.prometheus.exporter import Exporter
from edgeagent.telemetry.sparkplug.node import SparkplugNode
from edgeagent.timing.histogram import StageTimes


class Adapters:
    """All adapters, from start to stop.

    Args:
        settings: of the agent.
        publisher: not yet started; None without a broker.
        state: folder for what adapters remember.
        times: stage times by camera, since the start.
        retained: what the broker keeps of this device, by topic below its prefix.

    Raises:
        ConfigurationError: an adapter lacks its package.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: MqttPublisher | None,
        state: Path,
        times: Mapping[str, StageTimes],
        retained: Mapping[str, bytes],
    ) -> None:
        cameras = tuple(camera.name for camera in settings.cameras)
        self._announcer: Announcer | Withdrawal | None = None
        self._pictures: Pictures | None = None
        if publisher is not None:
            self._announcer = Withdrawal(publisher, state)
            if (wanted := settings.home_assistant) is not None:
                commands = settings.mqtt.commands and settings.delivery is not None
                self._announcer = Announcer(publisher, wanted, settings.device, cameras, commands, state)
                if wanted.pictures_every is not None:
                    self._pictures = Pictures(
                        cameras, wanted.pictures_every, lambda *it: publisher.publish(*it, qos=0)
                    )
        self._exporter = Exporter(settings.prometheus, times) if settings.prometheus else None
        self._node = (
            SparkplugNode(settings.sparkplug, settings.mqtt, settings.device, state)
            if settings.sparkplug is not None
            else None
        )
        self.renew(retained)

    def start(self) -> None:
        """Start what has threads; the Sparkplug node begins with the first telemetry.

        Raises:
            ConfigurationError: the port for Prometheus cannot be opened.
        """
        for part in (self._exporter, self._pictures):
            if part is not None:
                part.start()

    def stop(self) -> None:
        """Stop them."""
        for part in (self._pictures, self._exporter, self._node):
            if part is not None:
                part.stop()

    def note(self, telemetry: Telemetry) -> None:
        """Hand on the telemetry of an interval."""
        for part in (self._announcer, self._exporter, self._node):
            if part is not None:
                part.note(telemetry)

    def renew(self, retained: Mapping[str, bytes]) -> None:
        """Hand on what the broker keeps of this device from now on."""
        if self._announcer is not None:
            self._announcer.renew(retained)
        alarm = Alarm.model_validate_json(retained["alarm"])
        for part in (self._exporter, self._node):
            if part is not None:
                part.alarm(alarm)

    def frame(self, result: Result, now_ns: int) -> None:
        """Hand on a processed frame, valid during the call, at a monotonic time (ns)."""
        if self._pictures is not None:
            self._pictures.offer(result, now_ns)
