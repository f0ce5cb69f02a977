"""Events that a walk through a zone and over a line gives to actions."""

from __future__ import annotations

from typing import Any

from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.stored_files import StoredFiles
from edgeagent.settings.sections.actions import ConditionSettings, MqttActionSettings
from edgeagent.telemetry.actions.action_event import ActionEvent
from edgeagent.telemetry.actions.message import MessageAction
from edgeagent.telemetry.actions.receiver import ActionReceiver, Rule
from edgeagent.telemetry.mqtt.interface import NoPublisher
from edgeagent.timing.utc import utc_time
from edgeagent.vision.detections import Detections
from tests.events.test_scene import DOOR, GATE, found, scene, walk, watch

EVERYTHING = ConditionSettings(
    events=("zone.occupied", "zone.free", "zone.loiter", "line.in", "line.out", "object.new", "object.end")
)


class Recorder:
    """Action that records."""

    def __init__(self) -> None:
        self.events: list[ActionEvent] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self, timeout_s: float) -> None:
        self.running = False

    def act(self, event: ActionEvent) -> None:
        self.events.append(event)


class Sent(NoPublisher):
    """Publisher that records complete topics."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []

    def publish_absolute(self, topic: str, payload: bytes, **about: Any) -> None:
        self.messages.append((topic, payload, False))

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload, True))


def happened(receiver: ActionReceiver, frames: list[Detections], observed: Scene) -> None:
    """Pass each frame on as it comes, as zones have their present state only."""
    for number, one in enumerate(frames):
        tell(receiver, watch(observed, [one], number)[0], observed)
    tell(receiver, observed.end(), observed)


def tell(receiver: ActionReceiver, report: SceneReport, observed: Scene) -> None:
    stored = {event.id: StoredFiles("a.jpg", "a.mp4") for event in report.events if event.what == "end"}
    receiver.publish("yard", observed, report, stored)


def test_a_walk_gives_each_event_once() -> None:
    observed = scene(zones=[{**GATE, "loiter_after": 0.5}], lines=[DOOR])
    recorder = Recorder()
    receiver = ActionReceiver("board", [Rule(EVERYTHING, recorder)])
    receiver.start()
    assert recorder.running
    happened(receiver, [*walk(0.2, 0.8, 60), *[found()] * 60], observed)
    receiver.stop(1.0)
    assert not recorder.running
    kinds = [event.event for event in recorder.events]
    assert sorted(kinds) == sorted(
        ["object.new", "zone.occupied", "zone.loiter", "line.out", "zone.free", "object.end"]
    )
    by_kind = {event.event: event for event in recorder.events}
    assert by_kind["zone.occupied"].zone == "gate" and by_kind["line.out"].line == "door"
    assert by_kind["zone.loiter"].seconds is not None and by_kind["zone.loiter"].label == "person"
    last = by_kind["object.end"]
    assert (last.snapshot, last.clip, last.object) == ("a.jpg", "a.mp4", by_kind["object.new"].object)
    assert len({event.id for event in recorder.events}) == len(recorder.events)
    assert b"null" not in last.payload() and last.device == "board"


def test_objects_have_the_time_of_the_sighting_though_they_are_told_later() -> None:
    observed, recorder = scene(zones=[GATE]), Recorder()
    receiver = ActionReceiver("board", [Rule(EVERYTHING, recorder)], now=lambda: 4e9)
    happened(receiver, walk(0.2, 0.8, 60), observed)
    times = {event.event: event.time for event in recorder.events}
    assert times["zone.occupied"] == utc_time(4e9)
    assert times["object.new"] < times["object.end"] < times["zone.occupied"]


def test_rules_are_for_themselves_and_a_disarmed_device_is_quiet() -> None:
    observed = scene(zones=[GATE])
    armed, always = Recorder(), Recorder()
    on = ConditionSettings(events=("zone.occupied",))
    rules = [Rule(on, armed), Rule(on.model_copy(update={"armed": False}), always)]
    happened(ActionReceiver("board", rules, lambda: False), walk(0.2, 0.8, 60), observed)
    assert (len(armed.events), len(always.events)) == (0, 1)


def test_a_message_is_the_text_or_the_event() -> None:
    sent = Sent()
    event = ActionEvent(id="1", time="t", device="board", camera="yard", event="zone.free", zone="gate")
    MessageAction(MqttActionSettings(topic="siren/set", payload="OFF", retain=True), sent).act(event)
    MessageAction(MqttActionSettings(topic="all"), sent).act(event)
    assert sent.messages == [("siren/set", b"OFF", True), ("all", event.payload(), False)]
