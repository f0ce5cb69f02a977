"""A device that is driven by hawkBit, against a stand-in of its DDI resources over HTTP."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgeagent.delivery.hawkbit.conversation import Hawkbit
from edgeagent.delivery.hawkbit.ddi import Ddi, ServerError
from edgeagent.errors import ConfigurationError, DeliveryError
from edgeagent.settings.sections.delivery import HawkbitSettings
from edgeagent.telemetry.contract.deployment import State
from edgeagent.version import __version__
from tests.broker import PATIENCE, free_port
from tests.delivery.hawkbit.driven import STABLE, ReadyRepository, Walker, connect
from tests.delivery.hawkbit.server import CONTROLLER, MAX_STATUS_ENTRIES, TOKEN, Action, HawkbitServer
from tests.delivery.releases import channel, deployment, device, installed, release, rollout
from tests.telemetry.certificates import make_certificates

NEW = ("coco-nano", "1.2.0")


def entries(action: Action) -> list[str]:
    """What the device has told of an action, the oldest first."""
    return [status for status, _ in action.history if status != "RETRIEVED"]


def last(action: Action) -> tuple[str, str]:
    status, messages = action.history[-1]
    (message,) = messages
    return status, message


def test_without_an_action_there_is_no_target(hawkbit: Hawkbit, walker: Walker) -> None:
    assert hawkbit.poll() == 12 * 3600
    assert walker.checks == 0
    assert walker.source.target() is None


def test_an_action_is_done_and_told_state_by_state(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    target = walker.source.target()
    assert target is not None
    assert (target.release, target.source, target.action) == (release(2), "hawkbit", action.id)
    assert last(action) == ("proceeding", "coco-nano 1.2.0 is fetched")
    hawkbit.notify(0.55)
    hawkbit.send_feedback()
    assert last(action) == ("proceeding", "coco-nano 1.2.0 is fetched, 50%")
    states: tuple[State, ...] = ("verifying", "staged", "gating", "trial")
    for state in states:
        walker.move(state)
        hawkbit.send_feedback()
    assert walker.source.serve_hindrance(release(2)) is None
    walker.move("good")
    hawkbit.send_feedback()
    told = ["proceeding", "proceeding", "proceeding", "downloaded", "proceeding", "proceeding", "closed"]
    assert entries(action) == told
    assert last(action) == ("closed", "coco-nano 1.2.0 is good here")
    assert (action.status, action.active) == ("FINISHED", False)
    hawkbit.poll()
    assert walker.source.target() is None
    assert entries(action) == told


def test_what_is_installed_comes_from_the_repository(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, tmp_path: Path
) -> None:
    server.assign(NEW)
    hawkbit.poll()
    walker.source.fetch(release(2), "manifest.yaml", tmp_path / "manifest.yaml")
    assert walker.source._repository.fetched == ["stable/coco-nano/1.2.0/manifest.yaml"]  # type: ignore[attr-defined]
    assert not [path for _, path in server.requests if "artifacts" in path]


def test_the_same_is_told_once_and_progress_in_tenths(server: HawkbitServer, hawkbit: Hawkbit) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    for thousandth in range(1001):
        hawkbit.notify(thousandth / 1000)
        hawkbit.send_feedback()
    hawkbit.poll()
    assert len(entries(action)) == 12
    assert last(action)[1].endswith("100%")


@pytest.mark.parametrize(
    ("state", "done"), [("rejected", "was rejected"), ("rolled_back", "was rolled back")]
)
def test_a_failure_closes_the_action_with_its_reason(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, state: Any, done: str
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move(state, "p90 of 48 ms is over the limit of 40 ms")
    hawkbit.send_feedback()
    assert last(action) == ("closed", f"coco-nano 1.2.0 {done}: p90 of 48 ms is over the limit of 40 ms")
    assert (action.status, action.active) == ("ERROR", False)


def test_a_long_reason_is_cut_to_what_hawkbit_keeps(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move("rejected", "x" * 2000)
    hawkbit.send_feedback()
    assert len(last(action)[1]) == 512


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ((("coco-nano", "9.9.9"),), "of coco-nano 9.9.9 channel stable offers none"),
        ((), "of nothing channel stable offers none"),
        (
            (NEW, ("coco-nano", "1.1.0")),
            "of coco-nano 1.2.0, coco-nano 1.1.0 channel stable offers more than one",
        ),
    ],
)
def test_an_action_that_names_no_release_of_the_channel_fails(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, modules: Any, reason: str
) -> None:
    action = server.assign(*modules)
    hawkbit.poll()
    assert walker.record.deployment is None
    assert last(action) == ("closed", reason)
    assert action.status == "ERROR"


def test_other_modules_beside_the_model_do_not_matter(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    server.assign(("debian", "12.0"), NEW)
    hawkbit.poll()
    assert walker.deployment.model == installed(release(2))


def test_what_may_not_run_here_fails_at_once(server: HawkbitServer, token: Path) -> None:
    spoiled = Walker(ReadyRepository(STABLE))
    spoiled.spoil(release(2))
    withdrawn = Walker(ReadyRepository(channel(release(2, withdrawn="misses trams"))))
    foreign = Walker(ReadyRepository(channel(release(2, boards=("coral",)))))
    reasons = {}
    for name, walker in {"bad": spoiled, "withdrawn": withdrawn, "foreign": foreign}.items():
        action = server.assign(NEW)
        connect(server.url, walker, token).poll()
        assert (walker.record.deployment, action.status) == (None, "ERROR")
        reasons[name] = last(action)[1]
    assert reasons == {
        "bad": "coco-nano 1.2.0: bad on this device: mAP 0.21 is below 0.30",
        "withdrawn": "coco-nano 1.2.0: withdrawn: misses trams",
        "foreign": "coco-nano 1.2.0 is not for rpi5, any",
    }


def test_what_serves_already_is_a_success(server: HawkbitServer, hawkbit: Hawkbit, walker: Walker) -> None:
    walker.remember(current=installed(release(2)))
    action = server.assign(NEW)
    hawkbit.poll()
    assert last(action) == ("closed", "coco-nano 1.2.0 serves already")
    assert action.status == "FINISHED"


def test_hawkbit_may_go_back_and_past_the_rollout(server: HawkbitServer, token: Path) -> None:
    closed = rollout(percent=0, paused=True, cohorts=("lab",), start="2027-01-01T00:00:00Z")
    walker = Walker(ReadyRepository(channel(release(1, closed), release(2))))
    walker.remember(current=installed(release(2)))
    server.assign(("coco-nano", "1.1.0"))
    connect(server.url, walker, token).poll()
    assert walker.deployment.model == installed(release(1))
    assert walker.source.serve_hindrance(release(1, closed)) is None


def test_without_power_an_action_waits_and_says_so(server: HawkbitServer, token: Path) -> None:
    walker = Walker(ReadyRepository(channel(release(2, rollout(mains_only=True)))))
    walker.here = device(on_mains=False)
    hawkbit = connect(server.url, walker, token)
    action = server.assign(NEW)
    hawkbit.poll()
    assert walker.record.deployment is None
    assert last(action) == ("scheduled", "only on external power")
    walker.here = device(on_mains=True)
    walker.check_now()
    hawkbit.send_feedback()
    assert last(action) == ("proceeding", "coco-nano 1.2.0 is fetched")


def test_an_attempt_keeps_to_the_window_and_a_forced_update_does_not(
    server: HawkbitServer, token: Path
) -> None:
    night = release(2, rollout(window={"begin": "01:00", "end": "05:00"}))
    walker = Walker(ReadyRepository(channel(night)))
    hawkbit = connect(server.url, walker, token)
    action = server.assign(NEW, kind="soft")
    hawkbit.poll()
    walker.move("staged")
    assert walker.source.serve_hindrance(night) == "serves from 01:00 to 05:00; here it is 12:00"
    hawkbit.send_feedback()
    waiting = "coco-nano 1.2.0 is complete and verified: serves from 01:00 to 05:00; here it is 12:00"
    assert last(action) == ("downloaded", waiting)
    action.kind = "forced"
    hawkbit.poll()
    assert walker.source.serve_hindrance(night) is None


def test_a_closed_maintenance_window_fetches_and_waits(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW, window="unavailable")
    hawkbit.poll()
    walker.move("staged")
    assert walker.source.serve_hindrance(release(2)) == "hawkBit's maintenance window is closed"
    action.window = "available"
    hawkbit.poll()
    assert walker.source.serve_hindrance(release(2)) is None


def test_download_only_ends_with_the_download_and_a_later_update_goes_on_from_there(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    only = server.assign(NEW, kind="downloadonly")
    hawkbit.poll()
    walker.move("staged")
    assert walker.source.serve_hindrance(release(2)) == "hawkBit asks only to fetch it"
    hawkbit.send_feedback()
    assert (only.status, only.active) == ("DOWNLOADED", False)
    hawkbit.poll()
    assert walker.deployment.state == "staged"
    assert walker.source.serve_hindrance(release(2)) == "hawkBit does not ask for it any more"
    update = server.assign(NEW)
    hawkbit.poll()
    assert walker.source.serve_hindrance(release(2)) is None
    walker.move("trial")
    hawkbit.send_feedback()
    assert last(update)[0] == "proceeding"


def test_an_action_that_skips_the_download_is_scheduled(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW, skip_download=True)
    hawkbit.poll()
    assert walker.record.deployment is None
    assert last(action) == ("scheduled", "coco-nano 1.2.0: hawkBit asks not to fetch it yet")


@pytest.mark.parametrize("state", ["fetching", "verifying", "staged", "gating"])
def test_a_cancellation_gives_up_what_does_not_serve(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, state: Any
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move(state)
    server.cancel(action)
    hawkbit.poll()
    assert last(action) == ("cancel closed", "cancelled")
    assert (action.status, action.active) == ("CANCELED", False)
    assert (walker.deployment.state, walker.deployment.reason) == ("rejected", "cancelled by hawkBit")
    assert walker.forgiven == ["coco-nano 1.2.0"]
    assert walker.source.target() is None


def test_a_cancellation_before_anything_was_done(server: HawkbitServer, hawkbit: Hawkbit) -> None:
    action = server.assign(NEW)
    server.cancel(action)
    hawkbit.poll()
    assert last(action) == ("cancel closed", "cancelled")


@pytest.mark.parametrize(
    ("state", "reason", "end"),
    [
        ("trial", "too late: it is on trial; roll it back instead", "proceeding"),
        ("good", "too late: it is good and serves", "closed"),
    ],
)
def test_a_cancellation_that_is_too_late_is_rejected_and_the_action_goes_on(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, state: Any, reason: str, end: str
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move(state)
    server.cancel(action)
    hawkbit.poll()
    assert ("cancel rejected", [reason]) in action.history
    hawkbit.poll()
    assert last(action)[0] == end
    assert walker.deployment.state == state


def test_a_cancellation_of_what_has_failed_is_accepted(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move("rejected", "too slow")
    server.cancel(action)
    hawkbit.poll()
    assert last(action) == ("cancel closed", "cancelled")


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("fetching", "rejected"),
        ("gating", "rejected"),
        ("staged", "staged"),
        ("trial", "trial"),
        ("good", "good"),
    ],
)
def test_an_action_that_is_gone_is_given_up_unless_it_is_complete_or_serves(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, state: Any, end: str
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move(state)
    server.force_quit(action)
    hawkbit.poll()
    assert walker.deployment.state == end


def test_what_a_command_began_is_not_given_up_for_want_of_an_action(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    walker.remember(deployment=deployment(release(2), "fetching", source="command"))
    hawkbit.poll()
    assert walker.deployment.state == "fetching"


def test_a_pin_goes_before_hawkbit(server: HawkbitServer, hawkbit: Hawkbit, walker: Walker) -> None:
    walker.remember(pinned="coco-nano 1.1.0")
    action = server.assign(NEW)
    hawkbit.poll()
    assert walker.deployment.model == installed(release(1))
    assert walker.deployment.source == "command"
    assert last(action) == ("scheduled", "pinned to coco-nano 1.1.0 by a command")
    assert walker.source.serve_hindrance(release(1)) is None


def test_a_confirmation_is_waited_for(server: HawkbitServer, hawkbit: Hawkbit, walker: Walker) -> None:
    server.assign(NEW)
    server.confirmation = True
    hawkbit.poll()
    assert walker.source.waiting == "hawkBit waits for a confirmation of the update"
    server.confirmation = False
    hawkbit.poll()
    assert walker.deployment.state == "fetching"


def test_what_hawkbit_missed_is_told_after_a_restart(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, token: Path
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    walker.move("good")
    server.failures.extend([500, 500])
    with pytest.raises(ServerError):
        hawkbit.send_feedback()
    with pytest.raises(ServerError):
        hawkbit.poll()
    assert action.active
    connect(server.url, walker, token).poll()
    assert action.status == "FINISHED"


def test_an_action_that_was_closed_elsewhere_is_not_told_again(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    action = server.assign(NEW)
    hawkbit.poll()
    server.force_quit(action)
    walker.move("trial")
    hawkbit.send_feedback()
    told = len(server.requests)
    hawkbit.send_feedback()
    assert len(server.requests) == told


def test_the_device_is_described_when_asked_and_when_it_has_changed(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    def puts() -> int:
        return sum(method == "PUT" for method, _ in server.requests)

    hawkbit.poll()
    assert server.attributes == {
        "edgeagent": __version__,
        "board": "Raspberry Pi 5 Model B Rev 1.0",
        "boards": "rpi5,any",
        "labels": "yard",
    }
    hawkbit.poll()
    assert puts() == 1
    walker.here = device(labels=())
    walker.remember(current=installed(release(1)))
    hawkbit.poll()
    assert (server.attributes["labels"], server.attributes["model"]) == ("", "coco-nano 1.1.0")
    server.wants_attributes = True
    hawkbit.poll()
    assert puts() == 3


def test_attributes_are_as_long_as_hawkbit_takes(server: HawkbitServer, walker: Walker, token: Path) -> None:
    walker.here = device(labels=tuple(f"label-{number}" for number in range(50)))
    connect(server.url, walker, token).poll()
    assert len(server.attributes["labels"]) == 128


@pytest.mark.parametrize(
    ("sleep", "seconds"),
    [
        ("12:00:00", 43200.0),
        ("00:05:30", 330.0),
        ("00:00:00", 1.0),
        ("99:00:00", 86400.0),
        ("soon", 300.0),
        (None, 300.0),
    ],
)
def test_the_polling_interval_is_obeyed_within_reason(
    server: HawkbitServer, hawkbit: Hawkbit, sleep: str | None, seconds: float
) -> None:
    server.sleep = sleep
    assert hawkbit.poll() == seconds


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (401, "does not accept the token of"),
        (403, "forbids this to the token of"),
        (404, "does not know this device or action"),
        (429, "asks for fewer requests"),
        (500, "failed"),
        (302, "does not do it"),
    ],
)
def test_a_server_that_refuses_is_understood(
    server: HawkbitServer, hawkbit: Hawkbit, status: int, meaning: str
) -> None:
    server.failures.append(status)
    with pytest.raises(ServerError, match=meaning) as caught:
        hawkbit.poll()
    assert caught.value.status == status
    assert hawkbit.poll() == 43200.0
    assert ("GET", "/elsewhere") not in server.requests


@pytest.mark.parametrize(("header", "seconds"), [("120", 120.0), ("soon", None), (None, None)])
def test_a_busy_server_says_when_to_come_again(
    server: HawkbitServer, hawkbit: Hawkbit, header: str | None, seconds: float | None
) -> None:
    server.failures.append(429)
    server.retry_after = header
    with pytest.raises(ServerError) as caught:
        hawkbit.poll()
    assert caught.value.after_s == seconds


def test_a_dead_server_is_named_without_the_insides_of_the_library(walker: Walker, token: Path) -> None:
    port = free_port()
    with pytest.raises(ServerError) as caught:
        connect(f"http://127.0.0.1:{port}", walker, token).poll()
    assert str(caught.value) == f"hawkBit at http://127.0.0.1:{port} cannot be reached (Connection refused)"


@pytest.mark.parametrize(
    "garbage",
    [b"<html>", b"[]", b'{"_links": {"deploymentBase": {}}}', b"", b"[" * 100_000, b"x" * 1_000_001],
)
def test_an_answer_that_is_none_is_refused(server: HawkbitServer, hawkbit: Hawkbit, garbage: bytes) -> None:
    server.garbage = garbage
    with pytest.raises(ServerError, match="hawkBit at"):
        hawkbit.poll()
    server.garbage = None
    assert hawkbit.poll() == 43200.0


def test_links_lead_to_the_configured_server_only(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    """A server behind a proxy that does not tell it its name; or one that is after the token."""
    server.link_origin = "http://elsewhere.invalid"
    server.assign(NEW)
    hawkbit.poll()
    assert walker.deployment.state == "fetching"


def test_a_gateway_token_is_sent_as_one(server: HawkbitServer, walker: Walker, token: Path) -> None:
    server.authorization = f"GatewayToken {TOKEN}"
    assert connect(server.url, walker, token, gateway=True).poll() == 43200.0
    with pytest.raises(ServerError) as caught:
        connect(server.url, walker, token).poll()
    assert caught.value.status == 401


def test_a_replaced_token_is_used_without_a_restart(
    server: HawkbitServer, hawkbit: Hawkbit, token: Path
) -> None:
    server.authorization = "TargetToken another"
    with pytest.raises(ServerError):
        hawkbit.poll()
    token.write_text("another\n", encoding="ascii")
    assert hawkbit.poll() == 43200.0


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\n", b"two words\n", "tökén\n".encode()])
def test_a_token_that_cannot_be_one_is_not_quoted(
    server: HawkbitServer, hawkbit: Hawkbit, token: Path, content: bytes
) -> None:
    token.write_bytes(content)
    with pytest.raises(ConfigurationError, match="hawkBit's token") as caught:
        hawkbit.poll()
    assert "words" not in str(caught.value)
    assert server.requests == []


def test_the_token_is_in_no_log(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    action = server.assign(NEW)
    hawkbit.poll()
    for status in (401, 429, 500):
        server.failures.append(status)
        with pytest.raises(ServerError) as caught:
            hawkbit.poll()
        assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"
    walker.move("good")
    hawkbit.send_feedback()
    assert not action.active
    assert caplog.records
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("http://hawkbit.example.org", "clear text"),
        ("ftp://127.0.0.1", "expected http"),
        ("hawkbit.example.org", "expected http"),
        ("https://me:secret@hawkbit.example.org", "is not used"),
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(url: str, mistake: str, token: Path) -> None:
    with pytest.raises(ValidationError, match=mistake):
        HawkbitSettings(url=url, token_file=token)


def test_a_server_is_trusted_by_its_authority(walker: Walker, token: Path, tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "certificates")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.broker, files.broker_key)
    with HawkbitServer(tls) as server:
        assert connect(server.url, walker, token, files.ca).poll() == 43200.0
        with pytest.raises(ServerError, match="certificate verify failed"):
            connect(server.url, walker, token).poll()
        assert len(server.requests) == 2


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, token: Path) -> None:
    settings = HawkbitSettings(url="https://hawkbit.example.org", token_file=token)
    with pytest.raises(DeliveryError, match=r"nothing\.pem: cannot be read"):
        Ddi(settings, CONTROLLER, ca=tmp_path / "nothing.pem")


def test_in_its_thread_it_survives_failures_and_keeps_to_the_interval(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.delivery.hawkbit.conversation.RETRY_FIRST_S", 0.05)
    server.failures.extend([500, 401, 429])
    action = server.assign(NEW)
    hawkbit.start()
    try:
        wait_for(server, lambda: entries(action) == ["proceeding"])
        walker.move("trial")
        hawkbit.notify(None)
        wait_for(server, lambda: len(entries(action)) == 2)
    finally:
        hawkbit.stop()
    assert hawkbit.problem is None
    polls = sum(path.endswith(CONTROLLER) for _, path in server.requests)
    assert polls == 4  # three failures and one; the next is twelve hours away


def test_in_its_thread_an_action_is_told_to_its_end(
    server: HawkbitServer, hawkbit: Hawkbit, walker: Walker
) -> None:
    server.sleep = "00:00:01"
    action = server.assign(NEW)
    hawkbit.start()
    try:
        wait_for(server, lambda: "proceeding" in entries(action))
        server.sleep = "12:00:00"
        walker.move("trial")
        hawkbit.notify(None)
        wait_for(server, lambda: last(action)[1].endswith("serves on probation"))
        walker.move("good")
        hawkbit.notify(None)
        wait_for(server, lambda: not action.active)
    finally:
        hawkbit.stop()
    assert len(action.history) < MAX_STATUS_ENTRIES


def wait_for(server: HawkbitServer, reached: Any) -> bool:
    """Wait until the server has seen what is wanted."""
    with server.changed:
        assert server.changed.wait_for(reached, PATIENCE), server.requests
    return True


def test_a_server_that_never_answers_does_not_hold_up_the_stop(walker: Walker, token: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        hawkbit = connect(f"http://127.0.0.1:{deaf.getsockname()[1]}", walker, token)
        hawkbit.start()
        connection, _ = deaf.accept()
        stopper = threading.Thread(target=hawkbit.stop, daemon=True)
        stopper.start()
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
        connection.close()
