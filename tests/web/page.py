"""The page in this process, with cameras that the test itself plays, and a plain HTTP client."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np

from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.web import WebSettings
from edgeagent.vision.detections import Detections
from edgeagent.web.device_record import DeviceRecord
from edgeagent.web.page_facts import PageFacts, SettingsEditor
from edgeagent.web.server import PageServer

PATIENCE = 30.0
PASSWORD, TOKEN = "correct horse", "a-token-of-some-length"


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def result_of(camera: str = "yard", value: int = 128, size: tuple[int, int] = (360, 640)) -> Result:
    """A frame of one colour with one person in it."""
    image = np.full((*size, 3), value, np.uint8)
    boxes = np.array([[64, 36, 128, 180]], np.float32)
    found = Detections(boxes, np.array([0.9], np.float32), np.zeros(1, np.int32), ("person",))
    now = time.monotonic_ns()
    return Result(camera, Frame(image, 1, now, time.time()), found, cast(Any, None), 0)


class Answer:
    """Answer with its body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


class Client:
    """Plain HTTP client: it adds nothing by itself but the Host."""

    def __init__(self, port: int) -> None:
        self.port, self.origin = port, f"http://127.0.0.1:{port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            return Answer(connection.getresponse())

    def sign_in(self, user: str, password: str, **headers: str) -> Answer:
        body = urlencode({"user": user, "password": password, "next": "/status"})
        given = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin, **headers}
        return self.ask("/sign-in", "POST", body, given)

    def cookie(self) -> str:
        """Sign in, and return the cookie."""
        return str(self.sign_in("ann", PASSWORD).headers["set-cookie"]).partition(";")[0]

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            with response:  # it keeps the connection open by itself
                assert response.status == 200
                yield response


def read_record(response: http.client.HTTPResponse) -> tuple[dict[str, Any], bytes]:
    """The next picture of a stream, with what is said of it."""
    while True:
        about, jpeg = struct.unpack(">II", response.read(8))
        text, picture = response.read(about), response.read(jpeg)
        if text:
            return json.loads(text), picture


class RunningPage(Client):
    """Page with its client."""

    def __init__(self, server: PageServer, record: DeviceRecord, port: int) -> None:
        super().__init__(port)
        self.server, self.record = server, record

    def play(self, result: Result) -> None:
        """Offer a frame, as the agent does for each."""
        self.server.pictures.offer(result, None, time.monotonic_ns())


@contextlib.contextmanager
def running_page(
    cameras: tuple[CameraSettings, ...] = (CameraSettings(name="yard", source="0"),),
    snapshots: Path | None = None,
    clips: Path | None = None,
    editor: SettingsEditor | None = None,
    port: int | None = None,
    **settings: Any,
) -> Iterator[RunningPage]:
    """Run a page on a free port of the loopback interface."""
    port = port or free_port()
    web = WebSettings(**{"listen": f"127.0.0.1:{port}", "rate": 60.0, **settings})
    record, facts = DeviceRecord(), PageFacts("gate-pi", cameras, snapshots, True, False, clips)
    server = PageServer(web, facts, record, editor)
    server.start()
    try:
        wait_for_port(port)
        yield RunningPage(server, record, port)
    finally:
        server.stop(5.0)


def wait_for_port(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise AssertionError("the page does not answer")


def secrets_in(folder: Path) -> dict[str, Any]:
    """Settings of a page with a password and a token."""
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "token").write_text(TOKEN + "\n")
    for name in ("password", "token"):
        (folder / name).chmod(0o600)
    return {"user": "ann", "password_file": folder / "password", "token_file": folder / "token"}
