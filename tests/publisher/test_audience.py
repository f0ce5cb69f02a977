"""Audience of a release: who takes it by its policy, and the prediction for one device."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import BadModel, Installed, Record
from edgeagent.delivery.update.device import BOARDS
from edgeagent.delivery.update.facts import DeviceFacts, facts_of, parse_facts
from edgeagent.doctor.board_profile import load_profiles
from edgeagent.errors import DeliveryError
from edgeagent.publisher.audience import describe_audience, minimum_versions, predict, unknown_boards
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.release import read_index, set_boards
from tests.delivery.releases import channel, release
from tests.publisher.publisher_folder import PublisherFolder

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


def facts(**changes: object) -> DeviceFacts:
    return DeviceFacts.model_validate({"id": "gate-7", "boards": ["rpi5"], **changes})


def predicted(index: Channel, facts: DeviceFacts, record: Record | None = None) -> tuple[str | None, str]:
    found = predict(index, facts, record or Record(), NOON, {})
    return found.takes, found.reason


def described(**rollout: object) -> str:
    one = release(1, boards=("rpi5", "coral"))
    changed = one.rollout.model_validate({**one.rollout.model_dump(), **rollout})
    return "\n".join(describe_audience(one.model_copy(update={"rollout": changed})))


def test_boards_share_and_time_are_told() -> None:
    assert described() == (
        "for boards named rpi5 or coral; all devices\n"
        "at the next check of each device (delivery.check_every, 1 h by default)"
    )
    text = described(
        percent=5,
        cohorts=["pilot"],
        start="2026-06-02T06:00Z",
        window={"begin": "02:00", "end": "05:00"},
        mains_only=True,
    )
    assert "5 % of the devices, by their names, with a label of pilot" in text
    assert "from 2026-06-02 06:00 UTC on, at the next check" in text
    assert "between 02:00 and 05:00; only on external power" in text
    assert "no device before" in described(percent=0)
    assert "paused" in described(paused=True)


def test_board_names_that_no_device_finds_out_are_told() -> None:
    known = [name for _, names in BOARDS for name in names]
    profiles = load_profiles()
    assert list(unknown_boards([*known, "coral", "any"], profiles)) == []
    (misspelt,) = unknown_boards(["rpi-5"], profiles)
    assert misspelt.startswith("rpi-5: no known board has this name")
    assert "rpi5" in misspelt
    (profile,) = unknown_boards(["rockchip-rk3588"], profiles)
    assert profile.endswith("set delivery.boards: [rockchip-rk3588] on them")


def test_the_names_of_the_readme_are_known() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("edgeagent publish add ")]
    boards = line.split("--board ")[1].split()[0].split(",")
    assert list(unknown_boards(boards, load_profiles())) == []


def test_a_prediction_is_what_the_device_decides() -> None:
    index = channel(release(1), release(2, boards=("rpi5",)))
    assert predicted(index, facts()) == (
        "coco-nano 1.2.0",
        "coco-nano 1.2.0 is the newest for this device",
    )
    assert predicted(index, facts(boards=[]))[0] == "coco-nano 1.1.0"
    old = index.releases[1]
    bad = Record(bad=(BadModel(slot=old.slot, reason="too slow", since="then"),))
    assert predicted(index, facts(), bad)[0] == "coco-nano 1.1.0"
    serving = Installed(slot=old.slot, name=old.name, version=old.version, sequence=old.sequence)
    assert predicted(index, facts(), Record(current=serving))[0] is None


def test_what_hinders_each_release_is_told() -> None:
    index = channel(release(1, boards=("coral",)), release(2))
    found = predict(index, facts(version="0.1.0"), Record(), NOON, {2: "9.0.0"})
    assert found.takes is None
    assert "needs edgeagent 9.0.0; the device has 0.1.0" in found.reason
    assert found.releases[0][1] is not None
    assert found.releases[1] == ("coco-nano 1.1.0", "for coral; this board is rpi5, any")


def test_facts_go_around_as_a_document() -> None:
    facts_here = facts(labels=["pilot"], time="2026-06-01T12:00+02:00", battery_percent=50)
    document: dict[str, object] = {
        "configuration": None,
        "device": facts_here.model_dump(mode="json"),
        "record": None,
        "slots": [],
    }
    assert parse_facts(json.dumps(document).encode(), "x") == (facts_here, Record())
    assert parse_facts(facts_here.model_dump_json().encode(), "x")[0] == facts_here
    again = facts_of(facts_here.device(NOON), "stable")
    assert (again.id, again.boards, again.channel) == ("gate-7", ("rpi5", "any"), "stable")
    record = Record(pinned="coco-nano 1.0.0")
    document["record"] = record.model_dump(mode="json")
    assert parse_facts(json.dumps(document).encode(), "x")[1] == record


@pytest.mark.parametrize("content", [b"", b"[]", b'{"boards": []}', b'{"device": null}', b'{"id": ""}'])
def test_what_are_no_facts_is_refused(content: bytes) -> None:
    with pytest.raises(DeliveryError, match=r"gate\.json: "):
        parse_facts(content, "gate.json")


def test_boards_are_corrected_and_nothing_else(publisher: PublisherFolder) -> None:
    def of(folder: PublisherFolder) -> Release:
        with folder.opened() as publication:
            return read_index(publication, "stable").releases[0]

    before = of(publisher)
    publisher.change(lambda p: set_boards(p, "stable", "tiny", "1.2.3", ["rpi5"]))
    assert of(publisher) == before.model_copy(update={"boards": ("rpi5",)})
    with pytest.raises(PublishError, match="boards"):
        publisher.change(lambda p: set_boards(p, "stable", "tiny", "1.2.3", []))
    with pytest.raises(PublishError, match="has no tiny"):
        publisher.change(lambda p: set_boards(p, "stable", "tiny", "9.9.9", ["any"]))
    assert minimum_versions(publisher.folder, channel(before)) == {1: "0.1.0"}
