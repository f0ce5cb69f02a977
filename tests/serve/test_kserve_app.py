"""KServe v2 over a real HTTP server, by the specification's requests, with a detector that tests control."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

from edgeagent.errors import ConfigurationError
from edgeagent.serve import kserve_app
from edgeagent.serve.endpoints import TcpEndpoint
from edgeagent.serve.http_server import HttpServer
from edgeagent.serve.inference_queue import InferenceQueue
from edgeagent.serve.kserve_app import KserveApp
from edgeagent.serve.kserve_messages import longest_body
from tests.serve.served import ANY, EMPTY, MANIFEST, HeldDetector, started_queue

INFER = f"/v2/models/{MANIFEST.name}/infer"
JSON = json.dumps(
    {
        "inputs": [
            {
                "name": "picture",
                "shape": [416, 416, 3],
                "datatype": "UINT8",
                "parameters": {"binary_data_size": EMPTY.nbytes},
            }
        ]
    }
).encode()
BINARY = JSON + EMPTY.tobytes()
LENGTH = {"Inference-Header-Content-Length": str(len(JSON))}


class Service:
    """Application and server around a detector that can be held."""

    def __init__(self) -> None:
        self.held, self.serves = HeldDetector(), True
        self.queue: InferenceQueue = started_queue(self.held.detect, size=1)
        self.app = KserveApp(MANIFEST, self.queue, lambda: self.serves)
        self.server = HttpServer(ANY, self.app.application)
        self.server.start()
        self.host, _, port = self.server.address.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    def stop(self) -> None:
        self.held.go.set()
        self.queue.stop(10)
        self.server.stop(10)


@pytest.fixture
def service() -> Iterator[Service]:
    started = Service()
    yield started
    started.stop()


def test_health_and_metadata(service: Service) -> None:
    model = f"/v2/models/{MANIFEST.name}"
    for path in ("/v2/health/live", "/v2/health/ready", f"{model}/ready"):
        assert service.ask("GET", path)[0] == 200
    status, server = service.ask("GET", "/v2")
    assert (status, server["name"], server["extensions"]) == (200, "edgeagent", ["binary_tensor_data"])
    status, told = service.ask("GET", model)
    assert (status, told["name"], told["versions"]) == (200, MANIFEST.name, [MANIFEST.version])
    assert service.ask("GET", f"{model}/versions/{MANIFEST.version}") == (200, told)
    service.serves = False
    assert service.ask("GET", "/v2/health/live")[0] == 200
    assert service.ask("GET", "/v2/health/ready") == (503, {"ready": False})
    assert service.ask("GET", f"{model}/ready") == (503, {"name": MANIFEST.name, "ready": False})


def test_a_picture_as_the_specification_shows_it(service: Service) -> None:
    request = {
        "id": "42",
        "inputs": [
            {"name": "picture", "shape": [416, 416, 3], "datatype": "UINT8", "data": EMPTY.ravel().tolist()}
        ],
        "outputs": [{"name": "boxes"}, {"name": "classes"}],
    }
    status, answer = service.ask("POST", INFER, json.dumps(request))
    assert (status, answer["model_name"], answer["id"]) == (200, MANIFEST.name, "42")
    assert answer["outputs"] == [
        {"name": "boxes", "datatype": "FP32", "shape": [1, 4], "data": [104, 208, 208, 416]},
        {"name": "classes", "datatype": "INT32", "shape": [1], "data": [2]},
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "said"),
    [
        ("POST", INFER, b"{", {}, 400, "no JSON"),
        ("POST", INFER, BINARY, {}, 400, "no JSON"),
        ("POST", INFER, JSON, LENGTH, 400, "behind the JSON are 0 bytes"),
        ("POST", INFER, BINARY, {"Inference-Header-Content-Length": "9" * 50}, 400, "Content-Length"),
        ("POST", INFER, BINARY, {**LENGTH, "Content-Encoding": "gzip"}, 415, "compressed"),
        (
            "POST",
            "/v2/models/yolo/infer",
            BINARY,
            LENGTH,
            404,
            f"{MANIFEST.name} {MANIFEST.version} is served",
        ),
        ("POST", f"/v2/models/{MANIFEST.name}/versions/7/infer", BINARY, LENGTH, 404, "no such model"),
        ("GET", "/v2/models/yolo", None, {}, 404, "no such model"),
        ("GET", "/v2/models/%00/ready", None, {}, 404, "no such model"),
        ("GET", "/v1/models", None, {}, 404, ""),
        ("GET", INFER, None, {}, 405, ""),
    ],
)
def test_mistakes_are_errors_of_the_protocol(
    service: Service, method: str, path: str, body: Any, headers: Any, status: int, said: str
) -> None:
    found, answer = service.ask(method, path, body, headers)
    assert found == status
    assert said in answer["error"]
    assert service.ask("POST", INFER, BINARY, LENGTH)[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_that_is_too_long_is_refused_while_it_arrives(service: Service, chunked: bool) -> None:
    size = longest_body(MANIFEST.input) + 1
    body = (bytes(100_000) for _ in range(1 + size // 100_000)) if chunked else bytes(size)
    try:
        status, answer = service.ask("POST", INFER, body)  # without a length: in chunks
        assert (status, "longer than" in answer["error"]) == (413, True)
    except (BrokenPipeError, ConnectionResetError):
        pass  # closed before everything was sent
    assert service.ask("POST", INFER, BINARY, LENGTH)[0] == 200
    assert service.app.counts["refused"] == 1


def test_a_request_that_arrives_too_slowly_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kserve_app, "READ_S", 0.3)
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BINARY)}\r\n\r\n"
    with socket.create_connection((service.host, service.port), timeout=120) as slow:
        slow.sendall(head.encode() + BINARY[:1000])
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    assert service.ask("POST", INFER, BINARY, LENGTH)[0] == 200


def test_a_client_that_goes_in_the_middle_is_forgotten(service: Service) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BINARY)}\r\n\r\n"
    for sent in (b"POST", head.encode(), head.encode() + BINARY[:1000], head.encode() + BINARY):
        with socket.create_connection((service.host, service.port), timeout=120) as gone:
            gone.sendall(sent)
    assert service.ask("POST", INFER, BINARY, LENGTH)[0] == 200
    assert service.app._being_read == 0


def test_while_too_many_wait_more_are_answered_with_503(service: Service) -> None:
    service.held.go.clear()
    answers: list[tuple[int, Any]] = []
    askers = [
        threading.Thread(target=lambda: answers.append(service.ask("POST", INFER, BINARY, LENGTH)))
        for _ in range(4)
    ]
    for one in askers:
        one.start()
    while len(answers) < 2:  # one is in the detector, one waits
        threading.Event().wait(0.01)
    assert [status for status, _ in answers] == [503, 503]
    assert "1 requests wait already" in answers[0][1]["error"]
    assert service.ask("GET", "/v2/health/live")[0] == 200
    service.held.go.set()
    for one in askers:
        one.join()
    assert sorted(status for status, _ in answers) == [200, 200, 503, 503]
    assert (service.app.counts["answered"], service.app.counts["not now"]) == (2, 2)


def test_more_than_may_be_received_at_a_time_are_answered_with_503(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kserve_app, "MOST_READ", 0)
    status, answer = service.ask("POST", INFER, BINARY, LENGTH)
    assert (status, answer["error"]) == (503, "0 requests are being received")


def test_the_end_abandons_what_hangs() -> None:
    service = Service()
    service.held.go.clear()
    asker = threading.Thread(target=lambda: _ignore_end(service))
    asker.start()
    assert service.held.entered.acquire(timeout=120)
    service.queue.stop(0)
    service.server.stop(10)
    assert not service.server._thread.is_alive()
    asker.join(60)
    service.held.go.set()  # its answer comes when nobody waits any more
    service.queue.stop(10)
    assert not service.queue._thread.is_alive()


def _ignore_end(service: Service) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        service.ask("POST", INFER, BINARY, LENGTH)


def test_an_address_in_use_is_reported(service: Service) -> None:
    with pytest.raises(ConfigurationError, match=r"--http .*: cannot be listened on"):
        HttpServer(TcpEndpoint(service.host, service.port), service.app.application)
