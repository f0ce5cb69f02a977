"""The engine crashes while clients ask: no objects and 503 until the next one serves, then as before."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

from edgeagent.serve.detector_server import STOP_S, DetectorServer
from edgeagent.serve.raw_detector import RawDetector
from tests.serve.frigate_client import FrigateClient
from tests.serve.served import MANIFEST, serve_bundle, street
from tests.worker.running import running_workers

PICTURE = street()
PAUSE_S = 0.05
JSON = json.dumps(
    {
        "inputs": [
            {
                "name": "picture",
                "shape": list(PICTURE.shape),
                "datatype": "UINT8",
                "parameters": {"binary_data_size": PICTURE.nbytes},
            }
        ]
    }
).encode()


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    before = {one.pid for one in running_workers()}
    yield
    assert {one.pid for one in running_workers()} <= before


def ask(server: DetectorServer, path: str = f"/v2/models/{MANIFEST.name}/infer") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.addresses[1].removeprefix("http://"), timeout=120)
    if path.endswith("infer"):
        length = {"Inference-Header-Content-Length": str(len(JSON))}
        connection.request("POST", path, JSON + PICTURE.tobytes(), length)
    else:
        connection.request("GET", path)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def kill_worker(server: DetectorServer) -> None:
    detector = server._serving.current(120)
    assert detector is not None
    os.kill(detector.engine.pid, signal.SIGKILL)


def test_frames_of_the_gap_have_no_objects_and_then_it_serves_again(state: Path) -> None:
    server = serve_bundle(state, http=False)
    with FrigateClient(server.addresses[0]) as client:
        client.handshake()
        wanted = client.detect(PICTURE[None])
        assert wanted.any()
        kill_worker(server)
        assert not client.detect(PICTURE[None]).any()
        assert client.handshake()["model_loaded"]  # else Frigate would give up for good
        while not (found := client.detect(PICTURE[None])).any():
            time.sleep(PAUSE_S)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert client.timeouts == 0
    server.stop()


def test_requests_of_the_gap_are_answered_with_503(state: Path) -> None:
    server = serve_bundle(state)
    assert ask(server)[0] == 200
    kill_worker(server)
    status, answer = ask(server)
    assert (status, "the engine failed" in answer["error"]) == (503, True)
    statuses = {ask(server, "/v2/health/ready")[0]}
    while (status := ask(server)[0]) != 200:
        assert status == 503
        statuses.add(ask(server, "/v2/health/ready")[0])
        time.sleep(PAUSE_S)
    assert 503 in statuses
    assert ask(server, "/v2/health/ready")[0] == 200
    server.stop()


def test_a_stopped_engine_is_ended_with_the_server(state: Path) -> None:
    """A worker that hangs in a call holds up neither the end nor other protocols."""
    server = serve_bundle(state)
    detector = server._serving.current(120)
    assert detector is not None
    os.kill(detector.engine.pid, signal.SIGSTOP)
    with FrigateClient(server.addresses[0]) as client:
        header = json.dumps({"shape": list(PICTURE.shape), "dtype": "uint8"}).encode()
        client._socket.send_multipart([header, PICTURE.tobytes()])
        assert ask(server, "/v2/health/live")[0] == 200
        server.stop()
    threads = (server._queue._thread, server._zmq._thread)
    assert not any(one.is_alive() for one in threads)


def test_the_end_comes_before_systemd_and_people_lose_patience() -> None:
    assert STOP_S < 2


def test_the_channels_stay_in_the_order_of_the_bundle(state: Path) -> None:
    """A tensor is the raw input: what a bundle in RGB is sent is RGB, and is not swapped."""
    server = serve_bundle(state, http=False)
    detector = server._serving.current(120)
    assert detector is not None
    for colour in ("rgb", "bgr"):
        spec = detector.description.input.model_copy(update={"colour": colour})
        description = detector.description.model_copy(update={"input": spec})
        other = type(detector)(description, detector.engine, detector.preprocessor, detector.decoder)
        raw = RawDetector(server._serving, 0.4)
        raw._take(other)
        raw._preprocessor.write(PICTURE, raw._buffers.inputs[0])
        assert (raw._buffers.inputs[0][0] == PICTURE).all()
    server.stop()


def test_the_log_tells_what_became_of_the_requests(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = serve_bundle(state)
    with FrigateClient(server.addresses[0]) as client:
        client.handshake()
        client.detect(PICTURE[None])
        client.detect(PICTURE)
        client.detect(PICTURE[:7])
    ask(server)
    server.stop()
    assert "Frigate: 2 answered, 1 refused, 1 handshakes" in caplog.text
    assert "KServe: 1 answered" in caplog.text
