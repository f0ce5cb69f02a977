"""Faults of the network between a device and a real server on loopback."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from edgeagent.delivery.errors import (
    CancelledError,
    MissingError,
    RefusedError,
    UnreachableError,
)
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from tests.delivery.conftest import MODEL, QUICK, NewClient
from tests.delivery.server import Answer, Handler, Server, dripping_head, silent
from tests.delivery.signed_repository import Repository

THREE = replace(QUICK, attempts=3)
IMPATIENT = replace(THREE, silence_s=1.0)


class Fetch:
    """The artefact on its way to the device."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.file = folder / "slot" / "model.onnx"
        self.part = self.file.with_name("model.onnx.part")
        self.release: Release = client.refresh().releases[-1]
        self.progress: list[int] = []

    def run(self, client: Client | None = None) -> None:
        self.progress.clear()
        (client or self.client).fetch(self.release, "model.onnx", self.file, self.progress.append)

    def is_whole(self) -> bool:
        return self.file.read_bytes() == MODEL and not self.part.exists()


@pytest.fixture
def fetch(new_client: NewClient, tmp_path: Path) -> Fetch:
    return Fetch(new_client(THREE), tmp_path / "device")


def ranges(server: Server) -> list[int]:
    """Offsets at which the artefact was asked for."""
    asked = [request.range for request in server.asked if request.path.endswith("model.onnx")]
    return [int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0 for wanted in asked]


def cut_at(byte: int) -> Answer:
    return lambda handler, content: handler.serve(content, upto=byte)


def tenths() -> list[int]:
    return [len(MODEL) * tenth // 10 for tenth in range(10)]


@pytest.mark.parametrize("cut", tenths())
def test_a_cut_at_every_tenth(fetch: Fetch, server: Server, cut: int) -> None:
    """One attempt is enough for the rest."""
    server.answer_next("model.onnx", cut_at(cut))
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server) == [0, cut]
    assert fetch.progress[-1] == len(MODEL)


@pytest.mark.parametrize("cut", tenths())
def test_a_cut_and_a_new_start_of_the_agent(
    fetch: Fetch, server: Server, new_client: NewClient, cut: int
) -> None:
    """What came before the network went away is not fetched again by the next agent."""
    server.answer_next("model.onnx", cut_at(cut), cut_at(cut), cut_at(cut))
    with pytest.raises(UnreachableError, match=f"the connection was cut after {cut} of {len(MODEL)} bytes"):
        fetch.run()
    assert (fetch.part.stat().st_size, fetch.file.exists()) == (cut, False)
    fetch.run(new_client())
    assert fetch.is_whole()
    assert ranges(server)[-1] == cut
    assert fetch.progress[0] == cut


def test_a_cut_at_every_tenth_of_one_download(fetch: Fetch, server: Server, new_client: NewClient) -> None:
    """Attempts that bring something are not counted."""
    server.answer_next("model.onnx", *(cut_at(byte) for byte in tenths()[1:]))
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server) == tenths()


def test_a_part_that_was_damaged(fetch: Fetch, server: Server) -> None:
    server.answer_next("model.onnx", *[cut_at(50_000)] * 3)
    with pytest.raises(UnreachableError):
        fetch.run()
    fetch.part.write_bytes(b"\0" * 50_000)
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server)[-2:] == [50_000, 0]


def test_a_part_that_is_whole_or_longer(fetch: Fetch, server: Server) -> None:
    fetch.file.parent.mkdir(parents=True)
    fetch.part.write_bytes(MODEL)
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server) == []
    fetch.file.unlink()
    fetch.part.write_bytes(MODEL + b"more")
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server) == [0]


def test_a_file_that_is_there(fetch: Fetch, server: Server) -> None:
    fetch.run()
    fetch.run()
    assert ranges(server) == [0]
    assert fetch.progress == [len(MODEL)]
    fetch.file.write_bytes(MODEL[::-1])
    fetch.run()
    assert fetch.is_whole()


def whole(handler: Handler, content: bytes) -> None:
    """Answer as a server does that knows no ranges."""
    handler.answer(200, content)


def elsewhere(handler: Handler, content: bytes) -> None:
    """Answer with another part of the file than was asked for."""
    handler.answer(206, content[1000:], {"Content-Range": f"bytes 1000-{len(content) - 1}/{len(content)}"})


def refuse_range(handler: Handler, _: bytes) -> None:
    handler.answer(416, b"")


@pytest.mark.parametrize("answer", [whole, elsewhere, refuse_range])
def test_a_server_without_ranges(fetch: Fetch, server: Server, answer: Answer) -> None:
    server.answer_next("model.onnx", cut_at(50_000), answer)
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server)[:2] == [0, 50_000]


def without_length(handler: Handler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.send(content)


def chunked(handler: Handler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(content), 30_000):
        piece = content[start : start + 30_000]
        handler.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.send(b"0\r\n\r\n")


@pytest.mark.parametrize("answer", [without_length, chunked])
def test_a_server_that_does_not_tell_the_length(fetch: Fetch, server: Server, answer: Answer) -> None:
    server.answer_always("2.root.json", lambda handler, _: handler.answer(404, b""))
    server.answer_always("", answer)
    fetch.client.refresh()
    fetch.run()
    assert fetch.is_whole()


@pytest.mark.parametrize("answer", [without_length, chunked])
def test_a_shorter_body_of_unknown_length(fetch: Fetch, server: Server, answer: Answer) -> None:
    server.answer_always("model.onnx", lambda handler, content: answer(handler, content[:70_000]))
    with pytest.raises(UnreachableError, match=f"of {len(MODEL)} bytes|is not that of signed metadata"):
        fetch.run()
    assert not fetch.file.exists()
    server.answer_always("model.onnx", None)
    fetch.run()
    assert fetch.is_whole()


@pytest.mark.parametrize("length", [0, len(MODEL) - 1, len(MODEL) + 1])
def test_a_body_of_another_length(fetch: Fetch, server: Server, length: int) -> None:
    server.answer_next("model.onnx", cut_at(50_000))
    server.answer_always("model.onnx", lambda handler, _: handler.serve(b"x" * length))
    with pytest.raises(
        RefusedError, match=f"the server has {length} bytes, signed metadata say {len(MODEL)}"
    ):
        fetch.run()
    server.answer_always("model.onnx", None)
    fetch.run()
    assert fetch.is_whole()


def test_a_truncated_timestamp(fetch: Fetch, server: Server) -> None:
    server.answer_next("timestamp.json", cut_at(100))
    fetch.client.refresh()
    server.answer_always("timestamp.json", cut_at(100))
    with pytest.raises(UnreachableError, match=r"timestamp\.json: the connection was cut after 100 of"):
        fetch.client.refresh()


@pytest.mark.parametrize(("status", "attempts"), [(429, 3), (500, 3), (503, 3), (401, 1), (404, 1), (418, 1)])
def test_a_status(fetch: Fetch, server: Server, status: int, attempts: int) -> None:
    def answer(handler: Handler, _: bytes) -> None:
        handler.answer(status, b"no")

    server.answer_next("model.onnx", answer)
    if attempts > 1:
        fetch.run()
        assert fetch.is_whole()
        fetch.file.unlink()
    server.asked.clear()
    server.answer_always("model.onnx", answer)
    with pytest.raises(UnreachableError, match=f"status {status}") as caught:
        fetch.run()
    assert len(ranges(server)) == attempts
    assert isinstance(caught.value, MissingError) == (status == 404)


@pytest.mark.parametrize("date", [False, True])
def test_a_server_that_asks_to_wait(fetch: Fetch, server: Server, new_client: NewClient, date: bool) -> None:
    when = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True) if date else "3600"
    server.answer_always("model.onnx", lambda handler, _: handler.answer(503, b"", {"Retry-After": when}))
    with pytest.raises(UnreachableError, match="status 503") as caught:
        fetch.run()
    assert caught.value.after_s == pytest.approx(3600, abs=60)
    assert len(ranges(server)) == 1  # so long it does not wait


def test_a_server_that_asks_to_wait_a_moment(fetch: Fetch, server: Server) -> None:
    server.answer_next("model.onnx", lambda handler, _: handler.answer(429, b"", {"Retry-After": "1"}))
    begin = datetime.now(timezone.utc)
    fetch.run()
    assert datetime.now(timezone.utc) - begin > timedelta(seconds=0.9)
    assert fetch.is_whole()


def test_a_server_that_says_nothing(fetch: Fetch, server: Server, new_client: NewClient) -> None:
    server.answer_always("model.onnx", silent)
    with pytest.raises(UnreachableError, match=r"model\.onnx: does not answer in time"):
        fetch.run(new_client(IMPATIENT))


def test_a_head_that_does_not_end(fetch: Fetch, server: Server, new_client: NewClient) -> None:
    """Every byte comes in time, the whole never."""
    server.answer_always("model.onnx", dripping_head)
    with pytest.raises(UnreachableError, match=r"model\.onnx: does not answer in time"):
        fetch.run(new_client(IMPATIENT))


def test_a_stall(fetch: Fetch, server: Server, new_client: NewClient) -> None:
    def stall(handler: Handler, content: bytes) -> None:
        handler.serve(content, upto=40_000, stall=True)

    server.answer_next("model.onnx", stall)
    fetch.run(new_client(IMPATIENT))
    assert fetch.is_whole()
    assert ranges(server) == [0, 40_000]
    fetch.file.unlink()
    server.answer_always("model.onnx", stall)
    with pytest.raises(UnreachableError, match=f"timed out after 40000 of {len(MODEL)} bytes"):
        fetch.run(new_client(IMPATIENT))
    assert fetch.part.stat().st_size == 40_000


def test_a_server_that_is_gone(
    fetch: Fetch, server: Server, repository: Repository, new_client: NewClient
) -> None:
    with Server(repository.folder) as other:
        gone = other.url
    client = new_client(repository=gone)
    with pytest.raises(UnreachableError, match=r"timestamp\.json|root\.json") as caught:
        client.refresh()
    assert "cannot be reached (Connection refused)" in str(caught.value)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        new_client(repository="http://name.invalid").refresh()
    assert client.known() == new_client().known() is not None


def test_cancelling(fetch: Fetch, server: Server, new_client: NewClient, repository: Repository) -> None:
    """While bytes come, and while it waits."""
    with pytest.raises(CancelledError):
        fetch.client.fetch(
            fetch.release, "model.onnx", fetch.file, fetch.progress.append, lambda: max(fetch.progress) > 5000
        )
    assert 5000 < fetch.part.stat().st_size < len(MODEL)
    called_off = threading.Event()

    def refuse(handler: Handler, _: bytes) -> None:
        called_off.set()
        handler.answer(503, b"", {"Retry-After": "100"})

    server.answer_always("model.onnx", refuse)
    with pytest.raises(CancelledError):
        fetch.client.fetch(fetch.release, "model.onnx", fetch.file, cancelled=called_off.is_set)
    server.answer_always("model.onnx", None)
    fetch.run()
    assert fetch.is_whole()
    assert ranges(server)[-1] > 5000


def test_a_cap_on_the_bandwidth(fetch: Fetch, new_client: NewClient) -> None:
    """102400 bytes at 200 kB/s take at least half a second, less the quarter second that may come at once."""
    client = new_client(bandwidth=200_000)
    client.refresh()
    begin = datetime.now(timezone.utc)
    fetch.run(client)
    assert datetime.now(timezone.utc) - begin > timedelta(seconds=0.2)
    assert fetch.is_whole()


def test_the_least_speed_is_below_the_cap() -> None:
    """A cap of the operator's own is not taken for somebody who holds the download back."""
    assert ThrottledReader(TransferLimits(slowest=500.0), None).slowest == 500.0
    assert ThrottledReader(TransferLimits(slowest=500.0), 600).slowest == 300.0


def redirect(to: str) -> Answer:
    return lambda handler, _: handler.answer(302, b"", {"Location": to})


def test_redirects(fetch: Fetch, server: Server, repository: Repository) -> None:
    with Server(repository.folder) as mirror:
        release = fetch.release
        path = repository.target_file("stable", release.target("stable", "model.onnx"))
        there = f"{mirror.url}/{path.relative_to(repository.folder)}"
        mirror.answer_next("model.onnx", cut_at(50_000))
        server.answer_always("model.onnx", redirect(there))
        fetch.run()
        assert fetch.is_whole()
        assert ranges(mirror) == [0, 50_000]
        fetch.file.unlink()
        for place in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
            server.answer_always("model.onnx", redirect(place))
            with pytest.raises(RefusedError, match=f"redirects to {re.escape(place)}"):
                fetch.run()
        server.answer_always("model.onnx", redirect("/round.and.round.model.onnx"))
        with pytest.raises(RefusedError, match="more than 5 redirects"):
            fetch.run()
