"""docs/mqtt.md says what is published: its examples validate, and every field is explained."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from edgeagent.accuracy.drift import DAY, LARGE, SAMPLE_EVERY_S, SLOT, DriftState
from edgeagent.accuracy.feedback import MOST_SOURCES
from edgeagent.accuracy.live import feedback_handler
from edgeagent.accuracy.live.reports import LEAST_OF_LABEL
from edgeagent.accuracy.proportion import wilson_interval
from edgeagent.accuracy.scene import QUANTITIES
from edgeagent.daemon.rate_controller import Reason
from edgeagent.delivery.deployment_report import MAX_SUMMARY
from edgeagent.delivery.update.answered_commands import REMEMBERED
from edgeagent.delivery.update.commands import Commands
from edgeagent.detection.frame_result import STAGES
from edgeagent.sensors.over_current import NAMES
from edgeagent.sensors.throttling import FLAGS
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.telemetry.contract.accuracy import AccuracyMessage
from edgeagent.telemetry.contract.commands import COMMANDS, MOST_BYTES
from edgeagent.telemetry.contract.deployment import DeploymentMessage
from edgeagent.telemetry.contract.feedback import MOST_JUDGED, Feedback, FeedbackVerdict, RealObject
from edgeagent.telemetry.contract.messages import (
    ROOT,
    CameraReport,
    EventKind,
    Message,
    PowerReport,
    ProblemCode,
    SpoolReport,
    Status,
    Telemetry,
)
from edgeagent.telemetry.contract.streams import STREAMS
from edgeagent.telemetry.mqtt.command_topic import MOST_WAITING
from edgeagent.timing.histogram import FIRST, LAST, MINIMUM_COUNT, Histogram
from tests.delivery.obedient import Obedient

TEXT = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
KINDS: tuple[type[Message], ...] = tuple(
    stream.kind for stream in STREAMS if stream.direction == "send" and stream.kind not in (Status, bytes)
)


@pytest.mark.parametrize(("kind", "example"), list(zip(KINDS, EXAMPLES, strict=True)))
def test_an_example_is_what_would_be_sent(kind: type[Message], example: object) -> None:
    message = kind.model_validate_json(json.dumps(example), strict=True)
    assert json.loads(message.payload()) == example


def fields(kind: type[BaseModel]) -> set[str]:
    """Names of all fields of a message and of the sections in it."""
    found = set()
    for name, info in kind.model_fields.items():
        found.add(name)
        for part, _ in parts(info.annotation):
            found |= fields(part)
    return found


def parts(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The sections that a field holds, and whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for argument in get_args(annotation):
        yield from parts(argument, many or get_origin(annotation) is tuple)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained(kind: type[Message]) -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith(("|", "Stages")))
    explained = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]*)`", rows))))
    missing = {name for name in fields(kind) if name not in explained}
    assert not missing


def optional_fields(kind: type[BaseModel], prefix: str = "") -> dict[str, bool]:
    """Whether a field may be absent, by its path, such as ``cameras[].name``, sections included."""
    found = {}
    for name, info in kind.model_fields.items():
        found[prefix + name] = not info.is_required()
        for part, many in parts(info.annotation):
            found |= optional_fields(part, f"{prefix}{name}{'[]' if many else ''}.")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_absent_is_marked_and_nothing_else(kind: type[Message]) -> None:
    optional = optional_fields(kind)
    documented = {}
    for names, about in re.findall(r"^\| (`[^|]*`) \| ([^|]+) \| [^|]* \|$", section(kind), re.MULTILINE):
        for name in re.findall(r"`([^`]*)`", names):
            # sections of their own have names without a path: those of cameras and stages
            paths = [name] if name in optional else [path for path in optional if path.endswith(f".{name}")]
            documented.update(dict.fromkeys(paths, "may be absent" in about))
    assert {path for path, absent in documented.items() if absent} == {
        path for path, absent in optional.items() if absent
    }


def section(kind: type[Message]) -> str:
    """The part of the document, from title to title, that has the example of a message."""
    example = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[KINDS.index(kind)]
    return next(part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE) if example in part)


def test_stages_states_and_minimum_counts_are_those_of_the_program() -> None:
    for stage in STAGES:
        assert f"| `{stage}` |" in TEXT
    for status in get_args(Status):
        assert f"| `{status}` |" in TEXT
    for state in get_args(CameraReport.model_fields["state"].annotation):
        assert f"`{state}`" in TEXT
    for quality in get_args(PowerReport.model_fields["quality"].annotation):
        assert f"`{quality}`" in TEXT
    for code in get_args(ProblemCode):
        assert f"`{code}`:" in TEXT
    idle, states = get_args(DeploymentMessage.model_fields["state"].annotation)
    for state in (*get_args(idle), *get_args(states)):
        assert f"`{state}`" in TEXT
    for kind in get_args(EventKind):
        assert f"| `{kind}` |" in TEXT
    for state in get_args(SpoolReport.model_fields["state"].annotation):
        assert f"`{state}`" in TEXT
    assert f"outermost buckets, {FIRST} and {LAST}" in TEXT
    for flag in FLAGS:
        assert f"`{flag}`" in TEXT
    for kind in NAMES.values():
        assert f"`{kind}`" in TEXT
    for reason in get_args(Reason):
        assert f"`{reason}`" in TEXT
    counts = ", ".join(f"{name} from {count}" for name, count in MINIMUM_COUNT.items())
    assert counts in TEXT


def test_the_percentiles_of_the_examples_have_enough_samples() -> None:
    stages = EXAMPLES[KINDS.index(Telemetry)]["cameras"]["yard"]["stages"]
    for stage in stages.values():
        found = Histogram.of({int(index): count for index, count in stage["buckets"].items()}).percentiles()
        assert (stage["count"], stage["p50_ms"], stage["p90_ms"]) == (found.count, found.p50, found.p90)
    for stage, (name, least) in itertools.product(stages.values(), MINIMUM_COUNT.items()):
        assert (f"{name}_ms" in stage) == (stage["count"] >= least)


def test_the_code_that_merges_histograms_is_right() -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert code
    example = EXAMPLES[KINDS.index(Telemetry)]
    names: dict[str, Any] = {"Counter": Counter, "math": math, "messages": [example] * 5}
    exec(code.group(1), names)
    buckets = example["cameras"]["yard"]["stages"]["end_to_end"]["buckets"]
    merged = Histogram.of({int(index): 5 * count for index, count in buckets.items()})
    assert round(names["p99_ms"], 4) == merged.percentiles().p99


def test_the_topics_are_those_of_the_program() -> None:
    assert f"`{ROOT}/<device>/`" in TEXT
    table = re.findall(r"^\| `([a-z<>/]+)` \| ([01]) \| (yes|no) \|", TEXT, re.MULTILINE)
    streams = [(s.topic, str(s.qos), "yes" if s.retained else "no") for s in STREAMS if s.direction == "send"]
    assert sorted(table) == sorted(streams)
    topics = set(re.findall(rf"-t '({ROOT}/[^']*)'", TEXT))
    assert topics
    for topic in topics:
        levels = topic.removeprefix(ROOT + "/").split("/")
        assert levels == ["#"] or levels[1] in ("status", "info", "telemetry", "detections")


def test_the_commands_are_those_of_the_program() -> None:
    obedient = Obedient()
    commands = Commands(obedient, agent=obedient, configuration=obedient, arming=obedient, live=obedient)
    examples = re.findall(rf"^mosquitto_pub -q 1 -t {ROOT}/gate-pi/cmd -m '(.*)'$", TEXT, re.MULTILINE)
    answers = [commands.answer(example.encode()).text for example in examples]
    assert [answer.partition(";")[0] for answer in answers] == obedient.done
    assert sorted(done.split()[0] for done in obedient.done) == sorted(COMMANDS)
    for name in COMMANDS:
        assert f"| `{name}` |" in TEXT


def test_the_limits_of_commands_are_those_of_the_program() -> None:
    assert f"more than {MOST_BYTES} bytes" in TEXT
    assert f"the last {REMEMBERED} are remembered" in TEXT
    assert f"Up to {MOST_WAITING} wait" in TEXT
    assert f"{MAX_SUMMARY} characters at most" in TEXT


def test_feedback_of_the_document_is_valid() -> None:
    examples = re.findall(rf"^mosquitto_pub -q 1 -t {ROOT}/gate-pi/feedback -m '(.*)'$", TEXT, re.MULTILINE)
    read = [Feedback.model_validate_json(example) for example in examples]
    assert [one.objects is None for one in read] == [True, False]
    rows = TEXT.partition("\n## `feedback`")[2].partition("\n## ")[0]
    for kind in (Feedback, FeedbackVerdict, RealObject):
        for name in kind.model_fields:
            assert re.search(rf"^\| .*`[^`]*\b{name}\b[^`]*`.*\|.*\|$", rows, re.MULTILINE), name


def test_the_limits_of_accuracy_are_those_of_the_program() -> None:
    most = AccuracySettings().feedback_frames
    for text in (
        f"The last {most} published frames",
        f"more than {feedback_handler.MOST_BYTES} bytes, more than {MOST_JUDGED} entries",
        f"{feedback_handler.MOST_WAITING} messages may wait, and {1 / feedback_handler.PAUSE_S:g} a second",
        f"up to {MOST_SOURCES} are distinguished",
        f"those with {LEAST_OF_LABEL} judgements or more",
        f"absent below {LEAST_OF_LABEL}",
        f"{SAMPLE_EVERY_S:g} s apart: {DAY * SLOT} a day",
        f"0 the same, {LARGE:g}".replace("0.25", ".25"),
    ):
        assert text in TEXT, text
    for quantity in QUANTITIES:
        assert f"`{quantity}`" in TEXT
    for state in get_args(DriftState):
        assert f"`{state}`" in TEXT
    assert DAY * SLOT * SAMPLE_EVERY_S == 86_400


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_the_intervals_of_the_example_are_right(name: str) -> None:
    shown = EXAMPLES[KINDS.index(AccuracyMessage)]["feedback"][name]
    low, high = wilson_interval(shown["hits"], shown["count"])
    assert (shown["low"], shown["high"]) == (round(low, 4), round(high, 4))
    assert shown["value"] == round(shown["hits"] / shown["count"], 4)
