"""Adapters of the contract: Home Assistant, Prometheus, OTLP, Sparkplug B and Frigate, each where configured.

Prometheus, OTLP, Sparkplug and pictures are imported where they are configured: they take memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeagent.daemon.live.part import LiveStep
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.telemetry.home_assistant.announcer import AnnouncedDevice, Announcer, Withdrawal
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.histogram import StageTimes

if TYPE_CHECKING:
    from edgeagent.telemetry.frigate.availability import FrigateAvailability
    from edgeagent.telemetry.otlp.otlp_exporter import OtlpExporter
    from edgeagent.telemetry.pictures import Pictures
    from edgeagent.telemetry.prometheus.exporter import Exporter
    from edgeagent.telemetry.sparkplug.node import SparkplugNode


class Adapters(AgentPart):
    """All configured adapters.

    Args:
        settings: settings of the agent.
        publisher: publisher, not yet started.
        state: folder for the files of the adapters.
        times: stage times by camera, since the start.

    Raises:
        ConfigurationError: an adapter lacks its package.
    """

    def __init__(
        self, settings: Settings, publisher: Publisher, state: Path, times: Mapping[str, StageTimes]
    ) -> None:
        self._publisher, self._folder = publisher, state
        self._announcer = _announcer(settings, publisher, state)
        self._pictures = _pictures(settings, publisher)
        self._exporters: list[Exporter | OtlpExporter] = []
        if settings.prometheus is not None:
            from edgeagent.telemetry.prometheus.exporter import Exporter

            self._exporters.append(Exporter(settings.prometheus, times))
        if settings.otlp is not None:
            from edgeagent.telemetry.otlp.otlp_exporter import OtlpExporter

            self._exporters.append(OtlpExporter(settings.otlp, settings.device, times))
        self._metrics: list[Exporter | OtlpExporter | SparkplugNode] = [*self._exporters]
        if settings.sparkplug is not None:
            from edgeagent.telemetry.sparkplug.node import SparkplugNode

            self._metrics.append(SparkplugNode(settings.sparkplug, settings.mqtt, settings.device, state))
        self._availability: list[FrigateAvailability] = []
        if settings.frigate is not None:
            from edgeagent.telemetry.frigate.availability import FrigateAvailability

            self._availability.append(FrigateAvailability(settings.frigate, settings.mqtt, settings.device))

    def prepare(self, change: SettingsChange) -> LiveStep | None:
        """Announce other cameras, labels and zones, and publish pictures of other cameras."""
        if not change.touches("cameras", "objects", "snapshots"):
            return None
        before = self._pictures
        pictures = _pictures(change.after, self._publisher) if change.touches("cameras") else before

        def commit() -> None:
            self._pictures = pictures
            # reads what was announced until now, so that entities of cameras that are gone are removed
            self._announcer = _announcer(change.after, self._publisher, self._folder)

        def swap() -> None:
            for one in pictures if pictures is not before else ():
                one.start()
            for one in before if pictures is not before else ():
                one.stop()

        return LiveStep(commit, swap)

    def start(self) -> None:
        """Start the adapters; the Sparkplug node connects with the first telemetry.

        Raises:
            ConfigurationError: the port for Prometheus cannot be opened.
        """
        for exporter in self._exporters:
            exporter.start()
        for pictures in self._pictures:
            pictures.start()
        for availability in self._availability:
            availability.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the adapters."""
        deadline = Deadline(timeout_s)
        for adapter in (*self._pictures, *self._availability, *reversed(self._metrics)):
            adapter.stop(deadline.left_s)

    def frame(self, result: Result) -> None:
        """ChannelEntry a frame for a picture."""
        for pictures in self._pictures:
            pictures.offer(result, time.monotonic_ns())

    def record(self, telemetry: Telemetry) -> None:
        """Pass the telemetry of an interval to all adapters."""
        self._announcer.record(telemetry)
        for adapter in self._metrics:
            adapter.record(telemetry)

    def read_live(self, refresh: Callable[[Telemetry], Telemetry]) -> None:
        """Read counters whenever metrics are read; ``refresh`` returns telemetry with those of now."""
        for exporter in self._exporters:
            exporter.refresh = refresh

    def update_accuracy(self, payload: bytes) -> None:
        """Pass the message ``accuracy``."""
        for exporter in self._exporters:
            exporter.retain({"accuracy": payload})

    def update(self, retained: Mapping[str, bytes]) -> None:
        """Pass the retained messages of the device, by topic, to all adapters.

        While the agent starts there is only ``alarm``; Home Assistant keeps its last announcement then.
        """
        if len(retained) > 1:
            self._announcer.update(retained)
        for exporter in self._exporters:
            exporter.retain(retained)
        alarm = Alarm.model_validate_json(retained["alarm"])
        for adapter in self._metrics:
            adapter.record_alarm(alarm)


def _announcer(settings: Settings, publisher: Publisher, state: Path) -> Announcer | Withdrawal:
    if settings.home_assistant is None:
        return Withdrawal(publisher, state)
    cameras = tuple(camera.name for camera in settings.cameras)
    commands = settings.mqtt.commands and settings.delivery is not None
    tracks = settings.tracking.tracker != "off"
    pictured = tracks and settings.snapshots is not None and settings.snapshots.publish
    device = AnnouncedDevice(
        settings.device,
        cameras,
        commands,
        settings.objects.labels,
        scenes=settings.cameras if tracks else (),
        snapshots=cameras if pictured else (),
        switch=tracks and settings.mqtt.commands,
    )
    return Announcer(publisher, settings.home_assistant, device, state)


def _pictures(settings: Settings, publisher: Publisher) -> list[Pictures]:
    if settings.home_assistant is None or settings.home_assistant.pictures_every is None:
        return []
    from edgeagent.telemetry.pictures import Pictures

    def publish(topic: str, jpeg: bytes) -> None:
        publisher.publish(topic, jpeg, qos=0)

    return [Pictures(settings.cameras, settings.home_assistant.pictures_every, publish)]
