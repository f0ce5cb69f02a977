"""Uploads that do not end: their bytes are bounded, for a tenant and for all, and free again behind them."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from typing import cast

import pytest

from edgeagent.fleet.frames.frame_archive import MOST_NOTES, FrameArchive
from edgeagent.fleet.frames.received_picture import MOST_PICTURE
from edgeagent.fleet.page.body_memory import MOST_OF_TENANT, BodyMemory, BodyMemoryFullError
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.frames.test_fleet_frames import QUOTA, NoStore, notes, put, token
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page


def unfinished(page: FleetClient, given: str, number: int, size: int) -> socket.socket:
    """Send the first bytes of a picture."""
    client = socket.create_connection(("127.0.0.1", page.port), 120.0)
    head = (
        f"PUT /upload/board/yard/{number}.000000.jpg HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
        f"Authorization: Bearer {given}\r\nContent-Length: {MOST_PICTURE}\r\n\r\n"
    )
    client.sendall(head.encode() + bytes(size))
    return client


def test_unfinished_uploads_of_a_tenant_hold_bounded_memory(tmp_path: Path) -> None:
    archive = FrameArchive(tmp_path / "frames", QUOTA)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "users", frames=archive) as page:
        given, other = token(page, "plant-3"), token(page, "plant-4")
        sizes = [MOST_PICTURE - 1] * (MOST_OF_TENANT // MOST_PICTURE) + [1000]
        clients = [unfinished(page, given, number, size) for number, size in enumerate(sizes)]
        try:
            answered, _, _ = select.select(clients, [], [], 120.0)
            refused = answered[0].recv(4096).decode()
            assert refused.startswith("HTTP/1.1 503"), refused
            assert "retry-after: 5" in refused.lower()
            assert put(page, other, "board/yard/1.000000.json", notes()).status == 201
        finally:
            for client in clients:
                client.close()
        deadline = time.monotonic() + 120.0
        while put(page, given, "board/yard/1.000000.json", bytes(MOST_NOTES)).status != 422:
            assert time.monotonic() < deadline  # the bytes of those that have gone are free again
            time.sleep(0.05)


def test_bytes_are_counted_for_each_tenant_and_for_all() -> None:
    memory = BodyMemory(of_tenant=10, of_all=15)
    with memory.body("a") as first:
        first.grow(10)
        with pytest.raises(BodyMemoryFullError), memory.body("a") as second:
            second.grow(1)
        with memory.body("b") as third:
            third.grow(5)
            with pytest.raises(BodyMemoryFullError):
                third.grow(1)
    with memory.body("b") as fourth:
        fourth.grow(10)
