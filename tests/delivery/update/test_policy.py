"""Which release is chosen, and what is said when none is."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeagent.delivery.repository.channel_entry import Rollout, Window
from edgeagent.delivery.update.policy import (
    Device,
    bucket,
    choose_release,
    fetch_hindrance,
    find_offered,
    must_leave,
    serve_hindrance,
    window_hindrance,
)
from tests.delivery.releases import NOON, bad, channel, device, installed, record, release, rollout

PLACE = 53.0  # of gate-pi in rollout r1, rounded down


def reason_of(policy: Rollout, **changes: object) -> str | None:
    return fetch_hindrance(release(2, policy), device(**changes))


def test_the_newest_release_is_taken() -> None:
    old, new = release(1), release(2)
    assert choose_release(channel(new, old), device(), record(old)) == (
        new,
        "coco-nano 1.2.0 is the newest for this device",
    )
    assert choose_release(channel(old, new), device(), record()) == (
        new,
        "coco-nano 1.2.0 is the newest for this device",
    )


def test_when_the_newest_serves_nothing_is_done() -> None:
    assert choose_release(channel(release(1), release(2)), device(), record(release(2))) == (
        None,
        "coco-nano 1.2.0 is the newest for this device",
    )


def test_a_lower_sequence_is_never_taken_by_itself() -> None:
    chosen, reason = choose_release(channel(release(1)), device(), record(release(2)))
    assert (chosen, reason) == (None, "coco-nano 1.2.0 is the newest for this device")


def test_an_empty_channel_and_one_for_other_boards_say_so() -> None:
    nothing = (None, "channel stable has nothing for rpi5, any")
    assert choose_release(channel(), device(), record()) == nothing
    assert choose_release(channel(release(1, boards=("coral", "rpi4"))), device(), record()) == nothing


def test_a_board_takes_what_is_for_one_of_its_names() -> None:
    new = release(1, boards=("rpi5", "coral"))
    assert choose_release(channel(new), device(), record())[0] == new
    assert choose_release(channel(new), device(boards=("jetson-orin",)), record())[0] is None
    assert choose_release(channel(release(1)), device(boards=()), record())[0] == release(1)


def test_what_is_bad_here_is_passed_over_for_the_next_older_newer_one() -> None:
    current, middle, new = release(1), release(2), release(3)
    spoiled = record(current, bad=(bad(new),))
    assert choose_release(channel(current, middle, new), device(), spoiled)[0] == middle
    chosen, reason = choose_release(channel(current, new), device(), spoiled)
    assert chosen is None
    assert reason == "coco-nano 1.3.0: bad on this device: mAP 0.21 is below 0.30"


def test_another_content_of_the_same_version_is_not_bad() -> None:
    again = release(2, manifest_sha256="0" * 64)
    assert choose_release(channel(again), device(), record(release(1), bad=(bad(release(2)),)))[0] == again


def test_a_withdrawn_release_is_passed_over() -> None:
    new = release(3, withdrawn="misses trams")
    assert choose_release(channel(release(2), new), device(), record(release(1)))[0] == release(2)
    assert (
        choose_release(channel(new), device(), record(release(1)))[1]
        == "coco-nano 1.3.0: withdrawn: misses trams"
    )


def test_a_withdrawn_current_release_is_left_for_a_lower_one() -> None:
    current, old = release(2, withdrawn="misses trams"), release(1)
    chosen, reason = choose_release(channel(old, current), device(), record(current))
    assert chosen == old
    assert reason == (
        "coco-nano 1.2.0, which serves, is withdrawn (misses trams); "
        "coco-nano 1.1.0 is the newest for this device"
    )


def test_for_a_withdrawn_current_release_only_the_previous_good_one_needs_no_rollout() -> None:
    over = rollout(percent=0)
    current, old, older = release(3, withdrawn="misses trams"), release(2, over), release(1, over)
    left = record(current, previous=installed(older))
    assert choose_release(channel(older, old, current), device(), left)[0] == older
    chosen, reason = choose_release(channel(older, old, current), device(), record(current))
    assert chosen is None
    assert "misses trams" in reason
    assert "0 % of the devices" in reason
    spoiled = record(current, previous=installed(older), bad=(bad(older),))
    assert choose_release(channel(older, old, current), device(), spoiled)[0] is None


def test_a_pin_leaves_newer_ones_alone() -> None:
    old, new = release(1), release(2)
    pinned = record(old, pinned="coco-nano 1.1.0")
    assert choose_release(channel(old, new), device(), pinned) == (
        None,
        "pinned to coco-nano 1.1.0, which serves",
    )


def test_a_pin_goes_to_a_lower_sequence_and_past_the_rollout_but_not_without_power() -> None:
    old, new = release(1, rollout(percent=0, paused=True, mains_only=True)), release(2)
    pinned = record(new, pinned="coco-nano 1.1.0")
    assert choose_release(channel(old, new), device(), pinned) == (old, "pinned to coco-nano 1.1.0")
    chosen, reason = choose_release(channel(old, new), device(on_mains=False), pinned)
    assert (chosen, reason) == (None, "pinned to coco-nano 1.1.0: only on external power")


def test_a_pin_that_cannot_be_followed_says_why() -> None:
    only = channel(release(1, boards=("coral",)), release(2))
    assert choose_release(only, device(), record(release(2), pinned="coco-nano 1.1.0"))[1] == (
        "pinned to coco-nano 1.1.0, which is not for rpi5, any"
    )
    assert choose_release(only, device(), record(release(2), pinned="coco-nano 9.0.0"))[1] == (
        "pinned to coco-nano 9.0.0, which channel stable does not offer"
    )
    spoiled = record(release(1), pinned="coco-nano 1.2.0", bad=(bad(release(2)),))
    assert choose_release(only, device(), spoiled)[0] is None


def test_a_withdrawal_overrides_a_pin() -> None:
    old, new = release(1, withdrawn="misses trams"), release(2)
    chosen, reason = choose_release(channel(old, new), device(), record(old, pinned="coco-nano 1.1.0"))
    assert chosen == new
    assert reason.startswith("the pinned coco-nano 1.1.0 is withdrawn; ")


def test_the_release_of_a_slot_is_found_by_its_content() -> None:
    assert find_offered(channel(release(1), release(2)), installed(release(2))) == release(2)
    assert find_offered(channel(release(1)), installed(release(2))) is None


def test_who_is_not_among_the_first_learns_where_it_stands() -> None:
    assert reason_of(rollout(percent=5)) == "5 % of the devices so far; this one is at 53.5"
    assert reason_of(rollout(percent=PLACE)) is not None
    assert reason_of(rollout(percent=PLACE + 1)) is None
    assert reason_of(rollout(percent=0)) is not None
    assert reason_of(rollout(percent=100)) is None


def test_a_device_waits_on_its_current_release_meanwhile() -> None:
    chosen, reason = choose_release(
        channel(release(1), release(2, rollout(percent=5))), device(), record(release(1))
    )
    assert chosen is None
    assert reason == "coco-nano 1.2.0: 5 % of the devices so far; this one is at 53.5"


def test_a_cohort_is_one_of_the_labels() -> None:
    assert reason_of(rollout(cohorts=("yard", "gate"))) is None
    assert reason_of(rollout(cohorts=("lab", "gate"))) == "only for lab, gate"
    assert reason_of(rollout(cohorts=("lab",)), labels=()) == "only for lab"


def test_a_paused_rollout_begins_nowhere() -> None:
    assert reason_of(rollout(paused=True)) == "rollout r1 is paused"


@pytest.mark.parametrize(
    "start", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00"]
)
def test_a_rollout_begins_at_its_start_in_any_time_zone(start: str) -> None:
    local = timezone(timedelta(hours=-7))
    assert reason_of(rollout(start=start), local_time=NOON.astimezone(local)) is None
    early = (NOON - timedelta(seconds=1)).astimezone(local)
    assert reason_of(rollout(start=start), local_time=early) == "begins at 2026-01-31 12:00 UTC"


def test_a_clock_that_was_never_set_is_named() -> None:
    epoch = datetime(1970, 1, 1, 0, 5, tzinfo=timezone.utc)
    doubt = "but the clock here says 1970-01-01, so that this cannot be judged"
    start = rollout(start="2026-01-31T12:00:00Z")
    assert reason_of(start, local_time=epoch) == f"begins at 2026-01-31 12:00 UTC, {doubt}"
    window = rollout(window={"begin": "00:00", "end": "06:00"})
    assert (
        serve_hindrance(release(1, window), device(local_time=epoch))
        == f"serves from 00:00 to 06:00, {doubt}"
    )
    assert serve_hindrance(release(1), device(local_time=epoch)) is None


@pytest.mark.parametrize(
    ("percent", "mains", "reason"),
    [
        (None, None, None),  # no battery at all
        (None, True, None),
        (10.0, True, None),
        (60.0, False, None),
        (60.0, None, None),
        (50.0, False, None),
        (49.0, False, "needs 50 % of battery; this device has 49 %"),
        (0.0, None, "needs 50 % of battery; this device has 0 %"),
        (None, False, "needs 50 % of battery, and the charge is not known here"),
    ],
)
def test_a_device_on_battery_needs_its_charge(
    percent: float | None, mains: bool | None, reason: str | None
) -> None:
    policy = rollout(least_battery_percent=50)
    assert reason_of(policy, battery_percent=percent, on_mains=mains) == reason


@pytest.mark.parametrize(
    ("percent", "mains", "reason"),
    [
        (None, None, None),
        (5.0, True, None),
        (100.0, False, "only on external power"),
        (100.0, None, "only on external power, and this is not known here"),
    ],
)
def test_mains_only_is_external_power_whatever_the_charge(
    percent: float | None, mains: bool | None, reason: str | None
) -> None:
    assert reason_of(rollout(mains_only=True), battery_percent=percent, on_mains=mains) == reason


def test_before_the_window_a_release_is_fetched_but_does_not_serve() -> None:
    night = release(2, rollout(window={"begin": "01:00", "end": "05:00"}))
    assert choose_release(channel(night), device(), record(release(1)))[0] == night
    assert serve_hindrance(night, device()) == "serves from 01:00 to 05:00; here it is 12:00"
    assert serve_hindrance(night, device(local_time=NOON.replace(hour=1))) is None


def test_what_was_paused_or_withdrawn_after_it_was_fetched_does_not_begin_to_serve() -> None:
    assert serve_hindrance(release(2, rollout(paused=True)), device()) == "rollout r1 is paused"
    assert serve_hindrance(release(2, withdrawn="misses trams"), device()) == "withdrawn: misses trams"


@pytest.mark.parametrize(
    ("begin", "end", "inside"),
    [
        ("01:00", "05:00", {1, 2, 3, 4}),
        ("22:00", "02:00", {22, 23, 0, 1}),
        ("00:00", "23:59", set(range(24))),
        ("06:00", "06:00", set(range(24))),
    ],
)
def test_a_window_is_in_local_time_and_may_pass_midnight(begin: str, end: str, inside: set[int]) -> None:
    window = Window(begin=begin, end=end)
    zone = timezone(timedelta(hours=9))
    hours = {
        h for h in range(24) if window_hindrance(window, at(datetime(2026, 1, 31, h, tzinfo=zone))) is None
    }
    assert hours == inside


def at(moment: datetime) -> Device:
    return device(local_time=moment)


TIMES = st.tuples(st.integers(0, 23), st.integers(0, 59))


@given(TIMES, TIMES, TIMES)
def test_a_window_and_the_one_of_the_other_hours_share_no_minute(
    begin: tuple[int, int], end: tuple[int, int], now: tuple[int, int]
) -> None:
    first, last = (f"{hour:02}:{minute:02}" for hour, minute in (begin, end))
    here = at(NOON.replace(hour=now[0], minute=now[1]))
    inside = window_hindrance(Window(begin=first, end=last), here) is None
    beside = window_hindrance(Window(begin=last, end=first), here) is None
    assert inside != beside or begin == end


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
LABELS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
PERCENTS = st.floats(0, 100)


@given(NAMES, LABELS, PERCENTS, PERCENTS)
def test_who_is_in_stays_in_when_the_share_grows(name: str, id_: str, one: float, other: float) -> None:
    few, many = sorted((one, other))
    if fetch_hindrance(release(1, rollout(id=id_, percent=few)), device(id=name)) is None:
        assert fetch_hindrance(release(1, rollout(id=id_, percent=many)), device(id=name)) is None
    assert fetch_hindrance(release(1, rollout(id=id_, percent=100)), device(id=name)) is None
    assert fetch_hindrance(release(1, rollout(id=id_, percent=0)), device(id=name)) is not None


@settings(deadline=None)  # 10,000 devices take long on a busy machine
@given(LABELS, st.floats(1, 99))
def test_the_share_of_many_devices_is_near_the_percentage(id_: str, percent: float) -> None:
    count = 10_000
    inside = sum(bucket(f"cam-{number:05}", id_) < percent for number in range(count))
    share = percent / 100
    deviation = math.sqrt(count * share * (1 - share))
    assert abs(inside - count * share) < 6 * deviation + 1


def test_another_rollout_begins_with_other_devices() -> None:
    names = [f"cam-{number}" for number in range(1000)]
    first = {name for name in names if bucket(name, "r1") < 10}
    second = {name for name in names if bucket(name, "r2") < 10}
    assert len(first & second) < len(first) / 2


def test_a_bucket_is_what_a_shell_computes() -> None:
    """docs/delivery-device.md: printf '%s' r1/gate-pi | sha256sum."""
    assert bucket("gate-pi", "r1") == int("88ec2116", 16) / 2**32 * 100


@given(st.lists(st.integers(1, 9), unique=True), st.integers(0, 9), st.sets(st.integers(1, 9)))
def test_without_a_withdrawal_or_a_pin_the_sequence_only_grows(
    offered: list[int], current: int, spoiled: set[int]
) -> None:
    remembered = record(release(current) if current else None, bad=tuple(bad(release(n)) for n in spoiled))
    chosen, reason = choose_release(channel(*map(release, offered)), device(), remembered)
    good = [number for number in offered if number > current and number not in spoiled]
    assert (None if chosen is None else chosen.sequence) == max(good, default=None)
    assert reason


def test_a_withdrawn_current_release_must_be_left_where_nothing_else_can_come() -> None:
    current = release(2, withdrawn="misses trams")
    alone, with_older = channel(current), channel(current, release(1))
    assert must_leave(alone, device(), record(current)) == (
        "coco-nano 1.2.0, which serves, is withdrawn (misses trams); nothing else is offered to this device"
    )
    assert must_leave(with_older, device(), record(current)) is None
    without_older = record(current).model_copy(update={"bad": (bad(release(1)),)})
    assert must_leave(with_older, device(), without_older) is not None
    assert must_leave(channel(release(2)), device(), record(release(2))) is None
    assert must_leave(alone, device(), record()) is None
