"""A state file with any content is read, or left out with the typed error or warning of its reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeagent.accuracy.drift_file import read_drift
from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record_file import RECORD, read_record
from edgeagent.delivery.trial.gate_report import GATE_REPORT, load_report
from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, load_verdicts
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import STEPS
from edgeagent.publisher.rollout_steps import read_steps
from edgeagent.publisher.signers import CONFIG, read_config
from edgeagent.telemetry.home_assistant.announcer import ANNOUNCED, Withdrawal
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.run_number import RUN, next_run
from tests.fuzz import DEEP, bounded, json_values
from tests.telemetry.publishing import settings


def journal(folder: Path) -> None:
    Journal(folder / JOURNAL, "boot").suspects()


def verdicts(folder: Path) -> None:
    for verdict in load_verdicts(folder / VERDICTS).values():
        assert verdict.p50_ms is None or verdict.p50_ms >= 0
        assert verdict.load_s is None or verdict.load_s >= 0


def record(folder: Path) -> None:
    with suppress(DeliveryError):
        read_record(folder)


def report(folder: Path) -> None:
    load_report(folder)


def run(folder: Path) -> None:
    number = next_run(folder)
    assert number is None or 1 <= number <= 2**53


def drift(folder: Path) -> None:
    read_drift(folder / "drift.json", "model", 1)


def announced(folder: Path) -> None:
    Withdrawal(MqttPublisher(settings(1), "board"), folder)


def good(folder: Path) -> None:
    KnownGoodModels(folder).models()


def steps(folder: Path) -> None:
    with suppress(PublishError):
        read_steps(folder)


def config(folder: Path) -> None:
    with suppress(PublishError):
        read_config(folder)


READERS: dict[str, Callable[[Path], None]] = {
    JOURNAL: journal,
    VERDICTS: verdicts,
    RECORD: record,
    GATE_REPORT: report,
    RUN: run,
    "drift.json": drift,
    ANNOUNCED: announced,
    "good/a.json": good,
    STEPS: steps,
    CONFIG: config,
}


@pytest.mark.parametrize("file", READERS)
@bounded
@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(content=DEEP)
@example(content=b'{"a":' * 100_000)
@example(content=b"9" * 4300)
@example(content=b"9" * 16)
@example(content=b'{"event":"start","key":[],"boot":"x"}\n')
@example(content=b'{"a":{"candidate":"a","right":true,"reason":"","p50_ms":"x"}}')
@example(content=b'{"a":{"candidate":"a","right":true,"reason":"","load_s":NaN}}')
@example(content=b'{"topic":"a/#","by":[],"components":{}}')
@example(content=b'{"topic":"a","by":[],"components":{"a":{}}}')
@example(content=b'{"schema_version":' + b"9" * 400 + b"}")
@example(content=b'"\\ud800"')
@example(content=b"")
def test_any_content_is_read_or_left_out(tmp_path: Path, file: str, content: bytes) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    READERS[file](tmp_path)


@pytest.mark.parametrize("file", READERS)
def test_a_folder_in_place_of_a_file(tmp_path: Path, file: str) -> None:
    (tmp_path / file).mkdir(parents=True)
    with suppress(EdgeagentError):
        READERS[file](tmp_path)


def test_damage_is_logged_once_and_the_file_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / VERDICTS).write_bytes(b'{"a":{"candidate":"a","right":true,"reason":"","p50_ms":"x"}}')
    assert load_verdicts(tmp_path / VERDICTS) == {}
    (tmp_path / RUN).write_bytes(b"9" * 4300)
    assert next_run(tmp_path) == 1
    (tmp_path / JOURNAL).write_bytes(b'{"event":"start","key":[],"boot":"x"}\n' + DEEP + b"\n")
    assert Journal(tmp_path / JOURNAL, "boot").suspects() == []
    assert [entry.levelname for entry in caplog.records] == ["WARNING", "ERROR", "WARNING"]
