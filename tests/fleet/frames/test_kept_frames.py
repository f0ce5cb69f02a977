"""Frames of devices on the fleet's disk: what is refused, stays, goes, and what it may take."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from edgeagent.fleet.frames.frame_archive import (
    WAIT_S,
    FrameArchive,
    QuotaFullError,
)
from edgeagent.fleet.frames.frame_key import FrameKey, FrameRefusedError
from edgeagent.fleet.frames.received_picture import MOST_PICTURE, MOST_SCANS
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.frames.test_fleet_frames import QUOTA, NoStore, fill, held, jpeg, notes, put, send, token
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page


@pytest.fixture
def page(tmp_path: Path) -> Iterator[FleetClient]:
    archive = FrameArchive(tmp_path / "frames", QUOTA)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "users", frames=archive) as running:
        yield running


def with_scans(count: int, side: int = 512) -> bytes:
    """A grey progressive JPEG: one scan of the mean values, and ``count`` of details, which hold nothing."""

    def segment(code: int, content: bytes) -> bytes:
        return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content

    def table(kind: int, symbol: int) -> bytes:
        return segment(0xC4, bytes([kind << 4, 1, *[0] * 15, symbol]))

    blocks = (side // 8) ** 2
    head = segment(0xDB, bytes([0, *[1] * 64]))
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    head += table(0, 0) + table(1, 0xE0)
    means = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    details = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + bytes(-(-blocks // 16_384) * 2)
    return b"\xff\xd8" + head + means + details * count + b"\xff\xd9"


def test_a_picture_of_many_scans_is_refused_before_it_is_decoded(page: FleetClient) -> None:
    given = token(page)
    for number, count, status in ((1, MOST_SCANS - 1, 201), (2, MOST_SCANS, 422), (3, 20_000, 422)):
        name = f"board/yard/{number}.000000"
        assert put(page, given, f"{name}.json", notes(width=512, height=512)).status == 201
        answer = put(page, given, f"{name}.jpg", with_scans(count))
        assert answer.status == status, answer.text
    assert "the picture has 20001 scans; 64 are the most" in answer.text


def test_a_stored_frame_without_a_date_is_shown(page: FleetClient, tmp_path: Path) -> None:
    fill(page, count=2)
    folder = tmp_path / "frames" / "-" / "board" / "yard"
    for one in folder.glob("1.*"):
        one.rename(folder / f"253402300800{one.name[1:]}")
    archive = FrameArchive(tmp_path / "frames", QUOTA)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "others", frames=archive) as again:
        answer = again.ask("/frames", headers=held(again, "bob"))
        assert (answer.status, "253402300800.000000 s" in answer.text) == (200, True)


def test_no_tenant_has_the_folder_of_devices_without_one() -> None:
    with pytest.raises(FrameRefusedError, match="no name of a tenant"):
        FrameKey.checked("-", "board", "yard", "1.000000")


def test_what_a_device_has_sent_is_not_replaced(page: FleetClient, tmp_path: Path) -> None:
    given, name = token(page), "board/yard/1.000000"
    other = notes(model="other 1.0.0")
    assert put(page, given, f"{name}.json", notes()).status == 201
    assert put(page, given, f"{name}.json", other).status == 409
    assert put(page, given, f"{name}.jpg", jpeg()).status == 201
    for end, content in (("json", notes()), ("jpg", jpeg())):
        assert put(page, given, f"{name}.{end}", content).status == 201
    black = bytes(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    for end, content in (("json", other), ("jpg", black), ("jpg", jpeg(32, 48)), ("jpg", b"x")):
        answer = put(page, given, f"{name}.{end}", content)
        assert (answer.status, "another file of this name" in answer.text) == (409, True)
    assert put(page, given, f"{name}.jpg", b"x" * (MOST_PICTURE + 1)).status == 413
    stored = tmp_path / "frames" / "-" / name
    assert stored.with_name("1.000000.json").read_bytes() == notes()
    assert stored.with_name("1.000000.jpg").read_bytes() == jpeg()


def test_notes_of_refused_pictures_take_no_room(page: FleetClient, tmp_path: Path) -> None:
    given = token(page)
    archive = page.services.frames
    assert archive is not None
    for number, content in enumerate((jpeg(32, 48), b"GIF89a", b"x" * (MOST_PICTURE + 1))):
        name = f"board/yard/{number}.000000"
        assert put(page, given, f"{name}.json", notes()).status == 201
        assert put(page, given, f"{name}.jpg", content).status in (413, 422)
    assert archive.used("") == (0, QUOTA)
    assert not list((tmp_path / "frames").rglob("*.*"))


def test_notes_without_a_picture_make_room_in_time(tmp_path: Path) -> None:
    now = 1000.0
    archive = FrameArchive(tmp_path, 3 * len(notes()), lambda: now)
    waiting = [FrameKey("", "board", "yard", f"{number}.000000") for number in range(4)]
    for key in waiting[:3]:
        archive.put_notes(key, notes())
    now += WAIT_S - 1.0
    with pytest.raises(QuotaFullError):
        archive.put_notes(waiting[3], notes())
    now += 2.0
    archive.put_notes(waiting[3], notes())
    assert archive.used("")[0] == len(notes())
    assert [one.name for one in tmp_path.rglob("*.json")] == ["3.000000.json"]
    old = tmp_path / f"{waiting[3].path}.json"
    os.utime(old, (0.0, time.time() - WAIT_S - 60.0))
    old.with_name("4.000000.jpg.new").write_bytes(b"x")  # a server that was killed
    assert FrameArchive(tmp_path, QUOTA).used("") == (0, QUOTA)
    assert not list(tmp_path.rglob("*.*"))


def test_frames_that_cannot_be_removed_are_still_shown(
    page: FleetClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(page, count=2)
    archive = page.services.frames
    assert archive is not None
    before, used, unlink = archive.frames(None), archive.used(""), Path.unlink

    def read_only(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(tmp_path / "frames"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, missing_ok)

    names = [("frame", one.key.name) for one in before]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", read_only)
        assert send(page, "bob", "/frames/remove", names).status >= 500
        assert (archive.frames(None), archive.used("")) == (before, used)
    assert send(page, "bob", "/frames/remove", names).status == 303
    assert (archive.frames(None), archive.used("")) == ([], (0, QUOTA))


class HeldArchive(FrameArchive):
    """Decodes pictures of the tenant ``slow`` once it is told to."""

    def __init__(self, folder: Path, quota: int) -> None:
        super().__init__(folder, quota)
        self.go_on = threading.Event()

    def put_picture(self, key: FrameKey, content: bytes) -> None:
        if key.tenant == "slow":
            assert self.go_on.wait(120.0)
        super().put_picture(key, content)


def test_a_tenant_whose_pictures_take_long_does_not_hold_up_another(tmp_path: Path) -> None:
    archive = HeldArchive(tmp_path / "frames", QUOTA)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "users", frames=archive) as page:
        slow, other = token(page, "slow"), token(page, "other")
        for number in range(3):
            assert put(page, slow, f"board/yard/{number}.000000.json", notes()).status == 201
        with ThreadPoolExecutor(3) as pool:
            names = [f"board/yard/{number}.000000.jpg" for number in range(3)]
            waiting = [pool.submit(put, page, slow, name, jpeg()) for name in names]
            try:
                for end, content in (("json", notes()), ("jpg", jpeg())):
                    assert put(page, other, f"board/yard/1.000000.{end}", content).status == 201
            finally:
                archive.go_on.set()
            assert [one.result(120.0).status for one in waiting] == [201, 201, 201]
