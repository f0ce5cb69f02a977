"""Target releases of a device that follows a channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.channel_source import ChannelSource
from edgeagent.delivery.update.policy import Device
from edgeagent.delivery.update.protocols import TargetRelease
from edgeagent.errors import DeliveryError
from tests.delivery.hawkbit.driven import ReadyRepository
from tests.delivery.releases import NOON, channel, device, record, release, rollout

NIGHT = rollout(window={"begin": "01:00", "end": "05:00"})


class Surroundings:
    """A device and its record, which change while the source is used."""

    def __init__(self, offered: Channel) -> None:
        self.repository = ReadyRepository(offered)
        self.device: Device = device()
        self.record: Record = record(release(1))
        self.source = ChannelSource(self.repository, lambda: self.device, lambda: self.record)


def test_what_is_chosen_is_the_target_and_otherwise_the_reason_is_kept() -> None:
    around = Surroundings(channel(release(1), release(2, rollout(percent=5))))
    assert around.source.target() is None
    assert around.source.waiting == "coco-nano 1.2.0: 5 % of the devices so far; this one is at 53.5"
    around.repository.channel = channel(release(1), release(2))
    assert around.source.target() == TargetRelease(release(2), "channel")
    assert around.source.waiting is None


def test_a_pin_is_a_target_by_command_and_serves_at_once() -> None:
    around = Surroundings(channel(release(1), release(2, NIGHT), release(3)))
    around.record = record(release(1), pinned="coco-nano 1.2.0")
    assert around.source.target() == TargetRelease(release(2, NIGHT), "command")
    assert around.source.serve_hindrance(release(2, NIGHT)) is None
    around.device = device(on_mains=False)
    starving = release(2, rollout(mains_only=True))
    assert around.source.serve_hindrance(starving) == "only on external power"


def test_the_clock_is_read_when_it_is_to_serve() -> None:
    around = Surroundings(channel(release(2, NIGHT)))
    assert around.source.serve_hindrance(release(2, NIGHT)) is not None
    around.device = device(local_time=NOON.replace(hour=2))
    assert around.source.serve_hindrance(release(2, NIGHT)) is None


def test_a_release_is_found_without_the_network() -> None:
    around = Surroundings(channel(release(1), release(2)))
    assert around.source.find("coco-nano", "1.2.0") == release(2)
    assert around.source.find("coco-nano", "1.3.0") is None


def test_before_the_first_check_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    around = Surroundings(channel(release(1)))
    monkeypatch.setattr(around.repository, "known", lambda: None)
    assert around.source.find("coco-nano", "1.1.0") is None


def test_a_channel_that_cannot_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    around = Surroundings(channel())

    def unreachable() -> Channel:
        raise DeliveryError("cannot be reached")

    monkeypatch.setattr(around.repository, "refresh", unreachable)
    with pytest.raises(DeliveryError, match="cannot be reached"):
        around.source.target()


def test_files_come_from_the_repository() -> None:
    around = Surroundings(channel(release(2)))
    around.source.fetch(release(2), "manifest.yaml", Path("manifest.yaml"))
    assert around.repository.fetched == ["stable/coco-nano/1.2.0/manifest.yaml"]
