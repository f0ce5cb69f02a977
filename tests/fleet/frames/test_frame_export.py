"""Exports of frames whose client stalls or goes: nothing stays on the disk, and no file stays open."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.page.open_file import OpenFileResponse
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.frames.test_fleet_frames import NoStore, csrf, held, jpeg, notes, put, token
from tests.fleet.page.fleet_page import FORM, running_fleet_page


def test_an_export_that_nobody_reads_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    archive = FrameArchive(tmp_path / "frames", 10**8)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "users", frames=archive) as page:
        given, large = token(page), jpeg(1500, 1200)
        for number in range(4):
            name = f"board/yard/{number}.000000"
            assert put(page, given, f"{name}.json", notes(width=1500, height=1200)).status == 201
            assert put(page, given, f"{name}.jpg", large).status == 201
        body = urlencode([("format", "coco"), ("csrf", csrf(page, "bob"))])
        headers = {
            **held(page, "bob"),
            "Host": f"127.0.0.1:{page.port}",
            "Origin": page.origin,
            "Content-Type": FORM,
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        with socket.create_connection(("127.0.0.1", page.port), 120.0) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"POST /frames/export HTTP/1.1\r\n{head}\r\n{body}".encode())
            assert client.recv(12) == b"HTTP/1.1 200"
            assert list(place.iterdir()) == []  # the rest of 8 MB is not read
    assert list(place.iterdir()) == []


def test_an_answer_that_nobody_takes_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "frames.zip").write_bytes(os.urandom(200_000))
    file = (tmp_path / "frames.zip").open("rb")
    taken: list[str] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        taken.append(message["type"])
        if len(taken) > 2:
            await asyncio.Event().wait()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    answer = OpenFileResponse(file, "frames.zip", "application/zip", stall_s=0.05)
    asyncio.run(asyncio.wait_for(answer({"type": "http"}, receive, send), 120.0))
    assert taken == ["http.response.start", "http.response.body", "http.response.body"]
    assert file.closed
    assert "ends early" in caplog.text
