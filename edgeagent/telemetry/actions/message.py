"""Action: a message to the broker."""

from __future__ import annotations

from edgeagent.settings.sections.actions import MqttActionSettings
from edgeagent.telemetry.actions.action_event import ActionEvent
from edgeagent.telemetry.mqtt.interface import Publisher


class MessageAction:
    """Message to any topic; one that cannot be sent now is lost, as a siren that is late would be wrong.

    Args:
        settings: topic and payload.
        publisher: of the device.
    """

    def __init__(self, settings: MqttActionSettings, publisher: Publisher) -> None:
        self._settings, self._publisher = settings, publisher

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout_s: float) -> None:
        """Do nothing."""

    def act(self, event: ActionEvent) -> None:
        """Publish the message."""
        settings = self._settings
        payload = event.payload() if settings.payload is None else settings.payload.encode()
        if settings.retain:
            self._publisher.retain_absolute(settings.topic, payload)
        else:
            self._publisher.publish_absolute(settings.topic, payload, qos=settings.qos)
