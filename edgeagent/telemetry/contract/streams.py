"""Table of all streams of the contract: topic, payload type, QoS, retain flag and priority in the spool.

A new stream is one line here; the documents are generated from the table
(:mod:`edgeagent.telemetry.contract.schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgeagent.telemetry.contract.accuracy import AccuracyMessage
from edgeagent.telemetry.contract.armed import ArmedMessage
from edgeagent.telemetry.contract.commands import Command
from edgeagent.telemetry.contract.deployment import DeploymentMessage, UpdateMessage
from edgeagent.telemetry.contract.feedback import Feedback
from edgeagent.telemetry.contract.messages import (
    Alarm,
    DetectionsMessage,
    Event,
    Info,
    Reply,
    Status,
    Telemetry,
)
from edgeagent.telemetry.contract.presence import Presence
from edgeagent.telemetry.contract.scene import ObjectMessage, ZonesMessage

LOWEST, HIGHEST = 0, 1
"""Priorities of messages in the spool: the oldest message of the lowest priority is evicted first."""


@dataclass(frozen=True)
class Stream:
    """Stream of messages.

    Attributes:
        topic: topic below the device's prefix; ``<...>`` is a variable topic level.
        kind: payload type: a message (JSON), a set of words (text), or bytes (JPEG).
        qos: MQTT quality of service.
        retained: whether the broker retains the last message (``detections``: unless every frame is
            published). Retained messages are not spooled: they are
            published again at every connect.
        priority: in the spool, :data:`LOWEST` to :data:`HIGHEST`; a message of the highest priority is also
            written to the disk before it is sent.
        about: description in one sentence.
        direction: whether the device sends or receives the stream.
    """

    topic: str
    kind: Any
    qos: Literal[0, 1]
    retained: bool
    priority: int
    about: str
    direction: Literal["send", "receive"] = "send"

    @property
    def name(self) -> str:
        """First level of the topic."""
        return self.topic.partition("/")[0]

    @property
    def parameter(self) -> str | None:
        """Name of the variable topic level; None where there is none."""
        return self.topic.partition("<")[2].rstrip(">") or None


STREAMS: tuple[Stream, ...] = (
    Stream("status", Status, 1, True, HIGHEST, "Connection of the device; its last will is offline."),
    Stream("alarm", Alarm, 1, True, HIGHEST, "Current problems of the device."),
    Stream("deployment", DeploymentMessage, 1, True, HIGHEST, "State of the last deployment."),
    Stream("update", UpdateMessage, 1, True, LOWEST, "State of a Home Assistant update entity."),
    Stream("cmd", Command, 1, False, HIGHEST, "Command for the device.", "receive"),
    Stream("feedback", Feedback, 1, False, LOWEST, "Judgement of the detections in one frame.", "receive"),
    Stream("reply", Reply, 1, False, HIGHEST, "Reply to a command or to feedback."),
    Stream("info", Info, 1, True, LOWEST, "Board, software, serving model and cameras."),
    Stream(
        "telemetry", Telemetry, 1, False, LOWEST, "Latency, counters and sensor readings of one interval."
    ),
    Stream("accuracy", AccuracyMessage, 1, True, LOWEST, "Accuracy indicators of the serving model."),
    Stream("presence", Presence, 1, True, LOWEST, "Labels that each camera sees now."),
    Stream("armed", ArmedMessage, 1, True, HIGHEST, "Whether events of zones and lines are published."),
    Stream("objects/<camera>", ObjectMessage, 1, False, HIGHEST, "Event in the life of one object."),
    Stream("zones/<camera>", ZonesMessage, 1, True, LOWEST, "Objects in each zone, crossings of each line."),
    Stream("events/<kind>", Event, 1, False, HIGHEST, "Decision of the device, or observed change."),
    Stream("detections/<camera>", DetectionsMessage, 0, True, LOWEST, "Objects detected in one frame."),
    Stream("snapshot/<camera>", bytes, 0, False, LOWEST, "Best picture of an object, as JPEG."),
    Stream("picture/<camera>", bytes, 0, False, LOWEST, "Frame with its detections drawn, as JPEG."),
)

_BY_NAME = {stream.name: stream for stream in STREAMS}


def stream_of(topic: str) -> Stream:
    """Return the stream of a topic below the device's prefix.

    Raises:
        KeyError: the contract has no such stream.
    """
    return _BY_NAME[topic.partition("/")[0]]
