"""Live pictures: once for all, nothing for nobody, and no wait for anybody."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.zones import MaskSettings
from edgeagent.web import access, live_pictures
from tests.web.page import PATIENCE, RunningPage, read_record, result_of, running_page


class Playing:
    """A camera that plays while the block runs."""

    def __init__(self, page: RunningPage, **result: Any) -> None:
        self._page, self._result = page, result
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> Playing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _play(self) -> None:
        while not self._ending.wait(0.03):
            self._page.play(result_of(**self._result))


def decoded(jpeg: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def count_encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    encodings: list[int] = []
    encode = cv2.imencode

    def counted(*arguments: Any) -> Any:
        encodings.append(1)
        return encode(*arguments)

    monkeypatch.setattr(cv2, "imencode", counted)
    return encodings


def test_a_picture_goes_with_its_own_objects() -> None:
    with running_page(longest_side=320) as page, Playing(page, value=90):
        with page.stream("/stream?camera=yard&camera=street") as stream:
            about, jpeg = read_record(stream)
        assert (about["camera"], about["width"], about["height"]) == ("yard", 640, 360)
        assert about["objects"] == [{"box": [0.1, 0.1, 0.2, 0.5], "label": "person", "score": 0.9}]
        picture = decoded(jpeg)
        assert picture.shape == (180, 320, 3)
        assert abs(float(picture.mean()) - 90) < 3


def test_nothing_is_copied_or_encoded_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    encodings = count_encodings(monkeypatch)
    with running_page() as page:
        with Playing(page):
            with page.stream("/stream?camera=yard") as stream:
                read_record(stream)
            end = time.monotonic() + PATIENCE
            while page.server.watched.anything and time.monotonic() < end:
                time.sleep(0.05)
            assert not page.server.watched.anything
        time.sleep(0.2)
        before = len(encodings)
        result = result_of()
        monkeypatch.setattr(live_pictures, "describe_picture", lambda *_: 1 / 0)
        page.play(result)
        assert len(encodings) == before


def test_twenty_viewers_get_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    encodings = count_encodings(monkeypatch)
    seen: list[list[int]] = [[] for _ in range(20)]

    def watch(page: RunningPage, number: int) -> None:
        with page.stream("/stream?camera=yard") as stream:
            for _ in range(5):
                read_record(stream)
                seen[number].append(1)

    with running_page() as page, Playing(page):
        viewers = [threading.Thread(target=watch, args=(page, number)) for number in range(20)]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join(PATIENCE)
    assert [len(pictures) for pictures in seen] == [5] * 20
    assert 5 <= len(encodings) < 90


def test_a_viewer_too_many_is_told() -> None:
    with running_page(viewers=1) as page, Playing(page), page.stream("/stream?camera=yard") as stream:
        read_record(stream)
        refused = page.ask("/stream?camera=yard")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert page.ask("/status").status == 200


def test_a_viewer_that_never_reads_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "STALL_S", 1.0)
    with running_page(quality=100) as page, Playing(page, size=(900, 900)):
        never = socket.create_connection(("127.0.0.1", page.port), PATIENCE)
        never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with never:
            never.sendall(b"GET /stream?camera=yard HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with page.stream("/stream?camera=yard") as other:
                for _ in range(10):
                    read_record(other)  # as if the slow one were not there
            end = time.monotonic() + PATIENCE
            while page.server.watched.anything and time.monotonic() < end:
                time.sleep(0.1)
            assert not page.server.watched.anything


def test_mjpeg_for_browsers_without_scripts() -> None:
    with running_page() as page, Playing(page), page.stream("/live/yard.mjpeg") as stream:
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        assert stream.readline() == b"--picture\r\n"
        assert stream.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(stream.readline().partition(b":")[2])
        stream.readline()
        assert decoded(stream.read(length)).shape == (360, 640, 3)
        assert stream.readline() + stream.readline() == b"\r\n--picture\r\n"


def test_private_regions_are_hidden() -> None:
    mask = MaskSettings(polygon=((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), kind="privacy")
    camera = CameraSettings(name="yard", source="0", masks=(mask,))
    result = result_of()
    result.frame.image[:, ::2] = 255
    result.frame.image[:, 1::2] = 0
    with running_page((camera,), quality=100) as page, page.stream("/stream?camera=yard") as stream:
        while not page.server.watched.anything:
            time.sleep(0.01)
        page.play(result)
        picture = decoded(read_record(stream)[1]).astype(int)
    assert np.abs(np.diff(picture[100, 20:300, 0])).max() > 100
    assert np.abs(np.diff(picture[100, 340:620, 0])).max() < 40
    assert result.frame.image[100, 400, 0] == 255  # the frame of the agent is as it was


def test_an_encoder_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise cv2.error("no memory for the picture")

    monkeypatch.setattr(cv2, "imencode", fail)
    with running_page() as page, Playing(page), page.stream("/stream?camera=yard") as stream:
        about, jpeg = read_record(stream)
        assert (about["error"], jpeg) == ("the picture cannot be encoded", b"")
        monkeypatch.undo()
        while "error" in about:
            about, jpeg = read_record(stream)
        assert jpeg
    assert caplog.text.count("cannot be encoded") == 1


def test_a_taken_port_is_told_and_taken_when_it_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from edgeagent.web import server
    from tests.web.page import free_port, wait_for_port

    monkeypatch.setattr(server, "RETRY_S", 0.1)
    port = free_port()
    taken = socket.create_server(("127.0.0.1", port))
    told: list[str | None] = []
    from edgeagent.settings.sections.web import WebSettings
    from edgeagent.web.device_record import DeviceRecord
    from edgeagent.web.page_facts import PageFacts

    page = server.PageServer(
        WebSettings(listen=f"127.0.0.1:{port}"),
        PageFacts("gate-pi", (), None, True, False),
        DeviceRecord(),
        on_trouble=told.append,
    )
    page.start()
    try:
        while not told:
            time.sleep(0.02)
        time.sleep(0.3)
        taken.close()
        while len(told) < 2:
            time.sleep(0.02)
        wait_for_port(port)
    finally:
        page.stop(5.0)
    assert told[1] is None
    assert len(told) == 2
    assert "cannot be listened on" in str(told[0])
