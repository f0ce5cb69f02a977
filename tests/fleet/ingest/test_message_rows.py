"""Rows of messages: of the contract, of newer ones, damaged, forged, and with wrong clocks."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from edgeagent.fleet.ingest.arrival import LARGEST_PAYLOAD, FleetMessage, split_topic
from edgeagent.fleet.ingest.batch import KEPT_PAYLOAD, dead_letter
from edgeagent.fleet.ingest.fields import UnreadableError
from edgeagent.fleet.ingest.message_rows import STORED_STREAMS, row_of
from edgeagent.fleet.ingest.options import SHARED, STATE
from edgeagent.fleet.simulator.boards import SimulatedModel
from edgeagent.fleet.simulator.device import SimulatedDevice
from edgeagent.fleet.simulator.faults import forged, newer
from edgeagent.fleet.store.ddl import BY_NAME
from edgeagent.telemetry.contract.messages import ROOT, historical
from edgeagent.telemetry.contract.streams import STREAMS

NOW = datetime(2026, 1, 31, 12, 0, 0, 500000, timezone.utc)
AT = NOW - timedelta(seconds=1)
DEVICE = SimulatedDevice("gate", 7, AT - timedelta(hours=1), SimulatedModel())


def arrived(topic: str, payload: bytes, retained: bool = False) -> FleetMessage:
    tenant, device, stream, parameter = split_topic(topic, ROOT)
    return FleetMessage(tenant, topic, device, stream, parameter, payload, 1, retained, NOW)


def row(stream: str, payload: bytes) -> dict[str, Any]:
    found = row_of(arrived(f"{ROOT}/gate/{stream}", payload))
    assert found is not None
    return found[1]


def refused(stream: str, payload: bytes) -> UnreadableError:
    with pytest.raises(UnreadableError) as error:
        row_of(arrived(f"{ROOT}/gate/{stream}", payload))
    return error.value


def changed(payload: bytes, **fields: Any) -> bytes:
    return json.dumps({**json.loads(payload), **fields}).encode()


MESSAGES = {
    "telemetry": DEVICE.telemetry(AT).payload(),
    "events/presence": DEVICE.event(AT).payload(),
    f"objects/{DEVICE.camera}": DEVICE.object_end(AT).payload(),
    "info": DEVICE.info(AT).payload(),
    "alarm": DEVICE.alarm(AT, ("throttled", "drift")).payload(),
    "deployment": DEVICE.deployment(AT, "rolled_back", "slower").payload(),
    "accuracy": DEVICE.accuracy(AT).payload(),
}


@pytest.mark.parametrize("stream", MESSAGES)
def test_every_column_is_one_of_the_table(stream: str) -> None:
    found = row_of(arrived(f"{ROOT}/gate/{stream}", MESSAGES[stream]))
    assert found is not None
    table, columns = found
    names = {name for name, _ in BY_NAME[table].columns}
    assert set(columns) <= names
    of_the_store = {"inserted", "first_counts"}
    assert names - set(columns) <= of_the_store


def test_every_stored_stream_is_one_of_the_contract() -> None:
    of_devices = {stream.name for stream in STREAMS if stream.direction == "send"}
    assert set(STORED_STREAMS) <= of_devices
    subscribed = {topic.partition("/")[0] for topic in (*SHARED, *STATE)}
    assert subscribed | {"detections"} == set(STORED_STREAMS)
    retained = {stream.name for stream in STREAMS if stream.retained}
    assert set(STATE) <= retained


def test_values_of_telemetry() -> None:
    sent = json.loads(MESSAGES["telemetry"])
    found = row("telemetry", MESSAGES["telemetry"])
    assert found["device"] == "gate"
    assert found["run"] == sent["run"]
    assert found["sequence"] == sent["sequence"]
    assert found["camera_names"] == list(sent["cameras"])
    stages = sent["cameras"][DEVICE.camera]["stages"]
    place = found["stage_names"].index("inference")
    assert found["stage_buckets"][place] == stages["inference"]["buckets"]
    assert found["clock"] == "ok"
    assert found["time"] == AT.replace(microsecond=500000)


def test_absent_readings_are_absent() -> None:
    sent = json.loads(MESSAGES["telemetry"])
    sent["system"] = {"cpu_percent": 5.0, "temperatures_c": {}}
    found = row("telemetry", json.dumps(sent).encode())
    assert found["watts"] is None
    assert found["temperature_c"] is None
    assert found["inferences"] is None


@pytest.mark.parametrize("stream", MESSAGES)
def test_a_newer_contract_is_stored_as_far_as_it_is_known(stream: str) -> None:
    assert row(stream, newer(MESSAGES[stream])) == row(stream, MESSAGES[stream])


def test_unknown_words_are_kept() -> None:
    problem = {"code": "on_fire", "text": "t", "since": "2026-01-31T12:00:00.000Z"}
    assert row("alarm", changed(MESSAGES["alarm"], problems=[problem]))["problem_codes"] == ["on_fire"]
    assert row("deployment", changed(MESSAGES["deployment"], state="thinking"))["state"] == "thinking"


@pytest.mark.parametrize(
    ("made", "clock"),
    [
        ("1970-01-01T00:00:01.000Z", "past"),
        ("2100-01-01T00:00:00.000Z", "future"),
        ("9999-12-31T23:59:59.000Z", "future"),
        ("0001-01-01T00:00:00.000Z", "past"),
    ],
)
def test_a_wrong_clock_is_noted_and_arrival_counts(made: str, clock: str) -> None:
    found = row("telemetry", changed(MESSAGES["telemetry"], time=made))
    assert found["clock"] == clock
    assert found["time"] == NOW
    assert (
        datetime(1970, 1, 1, tzinfo=timezone.utc)
        <= found["device_time"]
        < datetime(2300, 1, 1, tzinfo=timezone.utc)
    )


def test_a_replayed_message_is_marked_and_in_its_place() -> None:
    found = row("telemetry", historical(MESSAGES["telemetry"]))
    assert found["historical"] is True
    assert found == {**row("telemetry", MESSAGES["telemetry"]), "historical": True}


def test_another_name_in_the_payload_is_refused() -> None:
    assert refused("telemetry", forged(MESSAGES["telemetry"])).reason == "device"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"\xff\xfe", "json"),
        (b"[]", "json"),
        (b"null", "json"),
        (b'"text"', "json"),
        (MESSAGES["telemetry"][:-1], "json"),
        (b"[" * 100_000, "json"),
        (changed(MESSAGES["telemetry"], time=None), "field"),
        (changed(MESSAGES["telemetry"], time="yesterday"), "field"),
        (changed(MESSAGES["telemetry"], time="2026-01-31T12:00:00"), "field"),
        (changed(MESSAGES["telemetry"], time=5), "field"),
        (changed(MESSAGES["telemetry"], sequence=-1), "field"),
        (changed(MESSAGES["telemetry"], sequence=2**70), "field"),
        (changed(MESSAGES["telemetry"], sequence=True), "field"),
        (changed(MESSAGES["telemetry"], run="1"), "field"),
        (changed(MESSAGES["telemetry"], interval_s="10"), "field"),
        (changed(MESSAGES["telemetry"], interval_s=None), "field"),
        (changed(MESSAGES["telemetry"], cameras=[]), "field"),
        (changed(MESSAGES["telemetry"], cameras={"a": 1}), "field"),
        (changed(MESSAGES["telemetry"], cameras={str(number): {} for number in range(2000)}), "field"),
        (MESSAGES["telemetry"].replace(b'"interval_s":10.0', b'"interval_s":NaN'), "json"),
        (MESSAGES["telemetry"].replace(b'"interval_s":10.0', b'"interval_s":1e999'), "field"),
        (b'{"padding":"' + b"x" * LARGEST_PAYLOAD + b'"}', "size"),
    ],
)
def test_what_cannot_be_read_has_a_reason(payload: bytes, reason: str) -> None:
    error = refused("telemetry", payload)
    assert error.reason == reason
    assert len(dead_letter(arrived(f"{ROOT}/gate/telemetry", payload), error)["payload"]) <= KEPT_PAYLOAD


@pytest.mark.parametrize(
    "buckets", [{"x": 1}, {"1": -1}, {"1": 1.5}, {"99999": 1}, {"--1": 1}, {"1": None}, []]
)
def test_a_damaged_histogram_is_refused(buckets: Any) -> None:
    sent = json.loads(MESSAGES["telemetry"])
    sent["cameras"][DEVICE.camera]["stages"]["inference"]["buckets"] = buckets
    assert refused("telemetry", json.dumps(sent).encode()).reason == "field"


def test_the_same_dead_letter_has_the_same_row() -> None:
    error = refused("telemetry", b"{")
    one, two = (dead_letter(arrived(f"{ROOT}/gate/telemetry", b"{"), error) for _ in range(2))
    assert one == two
    assert one["digest"] != dead_letter(arrived(f"{ROOT}/gate/telemetry", b"["), error)["digest"]


def test_status_is_a_word() -> None:
    assert row("status", b"offline")["status"] == "offline"
    assert row("status", b"online")["clock"] == "absent"
    for payload in (b"on line", b"x" * 40, b"\xff", b"1"):
        assert refused("status", payload).reason == "field"


def test_cleared_retained_messages_are_no_messages() -> None:
    assert row_of(arrived(f"{ROOT}/gate/info", b"", retained=True)) is None
    assert row_of(arrived(f"{ROOT}/gate/status", b"", retained=True)) is None


def test_streams_without_a_table_are_left_out() -> None:
    assert row_of(arrived(f"{ROOT}/gate/zones/yard", b"{}")) is None


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (f"{ROOT}/gate/telemetry", ("", "gate", "telemetry", "")),
        (f"{ROOT}/gate/objects/a/b", ("", "gate", "objects", "a/b")),
        (f"north/{ROOT}/gate/info", ("north", "gate", "info", "")),
        (f"a/b/{ROOT}/gate/info", ("a/b", "gate", "info", "")),
    ],
)
def test_topics(topic: str, expected: tuple[str, ...]) -> None:
    assert split_topic(topic, ROOT) == expected


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("other/gate/info", "topic"),
        (f"x{ROOT}/gate/info", "topic"),
        (f"{ROOT}/gate", "topic"),
        (f"{ROOT}//info", "device"),
        (f"{ROOT}/{'x' * 129}/info", "device"),
        (f"{ROOT}/a\x01/info", "device"),
    ],
)
def test_other_topics_are_refused(topic: str, reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        split_topic(topic, ROOT)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE telemetry --", "<script>alert(1)</script>", "\x00\x1b[2J", "ä" * 99]
)
def test_any_text_is_kept_as_it_is(text: str) -> None:
    assert row("events/presence", changed(MESSAGES["events/presence"], text=text))["text"] == text


def test_long_texts_are_cut_and_the_kind_is_that_of_the_topic() -> None:
    assert (
        len(row("events/presence", changed(MESSAGES["events/presence"], text="x" * 99_999))["text"]) == 8192
    )
    assert refused("events/zone", MESSAGES["events/presence"]).reason == "field"


@pytest.mark.parametrize("value", [10**400, 10**300, 1e308, -1e16])
def test_a_number_whose_sums_are_infinite_is_a_dead_letter(value: float) -> None:
    error = refused("telemetry", changed(MESSAGES["telemetry"], interval_s=value))
    assert (error.reason, str(error)) == ("field", "interval_s is no number from -1e+15 to 1e+15")
