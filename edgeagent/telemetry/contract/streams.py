"""All streams of the contract: what is published where, how, and what becomes of it while the broker is away.

A new stream is one line here; documents are generated from it (:mod:`edgeagent.telemetry.contract.schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgeagent.telemetry.contract.accuracy import AccuracyMessage
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

LEAST, MOST = 0, 1
"""How much a message is worth: of the least, the oldest makes room first."""


@dataclass(frozen=True)
class Stream:
    """One stream.

    Attributes:
        topic: below the device's prefix; ``<...>`` is a topic level that varies.
        kind: type of its payload: a message, which is JSON, words, or bytes of a JPEG.
        qos: with which it is published.
        retained: the broker keeps the last. Only the last matters then, so it is not spooled: it is published
            again at every connect.
        worth: in the spool, :data:`LEAST` to :data:`MOST`; what is worth most is also on the disk before it
            is sent.
        about: one sentence.
        direction: whether the device sends or receives it.
    """

    topic: str
    kind: Any
    qos: Literal[0, 1]
    retained: bool
    worth: int
    about: str
    direction: Literal["send", "receive"] = "send"

    @property
    def name(self) -> str:
        """The first level of its topic."""
        return self.topic.partition("/")[0]

    @property
    def parameter(self) -> str | None:
        """The level of its topic that varies."""
        return self.topic.partition("<")[2].rstrip(">") or None


STREAMS: tuple[Stream, ...] = (
    Stream("status", Status, 1, True, MOST, "Whether the device is connected; its last will says offline."),
    Stream("alarm", Alarm, 1, True, MOST, "What is wrong now."),
    Stream("deployment", DeploymentMessage, 1, True, MOST, "The last model on its way, or at its end."),
    Stream("update", UpdateMessage, 1, True, LEAST, "The state of an update entity of Home Assistant."),
    Stream("cmd", Command, 1, False, MOST, "A command for the device.", "receive"),
    Stream("feedback", Feedback, 1, False, LEAST, "What really was on a frame.", "receive"),
    Stream("reply", Reply, 1, False, MOST, "The answer to a command or to feedback."),
    Stream("info", Info, 1, True, LEAST, "What the device is and what serves."),
    Stream("telemetry", Telemetry, 1, False, LEAST, "Latency, counters, heat and power of an interval."),
    Stream("accuracy", AccuracyMessage, 1, True, LEAST, "What is known of how well the model does here."),
    Stream("events/<kind>", Event, 1, False, MOST, "A decision of the device, or a change it has seen."),
    Stream("detections/<camera>", DetectionsMessage, 0, False, LEAST, "What was found in one frame."),
    Stream("picture/<camera>", bytes, 0, False, LEAST, "A frame with its detections, as JPEG."),
)

_BY_NAME = {stream.name: stream for stream in STREAMS}


def stream_of(topic: str) -> Stream:
    """Return the stream of a topic below the device's prefix.

    Raises:
        KeyError: the contract has none such.
    """
    return _BY_NAME[topic.partition("/")[0]]
