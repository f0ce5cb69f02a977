"""Frigate's protocol over a real socket: right answers, and clients that are wrong, slow, many or gone."""

from __future__ import annotations

import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

import zmq

from edgeagent.errors import ConfigurationError
from edgeagent.serve.detector_server import DetectorServer
from edgeagent.serve.endpoints import LocalEndpoint, TcpEndpoint
from edgeagent.serve.errors import NotNowError
from edgeagent.serve.frigate_messages import encode_rows, largest_tensor
from edgeagent.serve.zmq_server import ZmqServer
from tests.serve import zmtp
from tests.serve.frigate_client import FrigateClient, Rows, read_rows
from tests.serve.served import (
    ANY,
    EMPTY,
    MANIFEST,
    SIZE,
    HeldDetector,
    bare_detections,
    serve_bundle,
    started_queue,
    street,
)

PICTURE = street()
TENSOR = PICTURE[None]
HEADER = json.dumps({"shape": list(TENSOR.shape), "dtype": "uint8"}).encode()


def wanted_rows(*pictures: Any) -> list[Rows]:
    found = bare_detections(*pictures)
    return [read_rows([encode_rows(one, MANIFEST.input)]) for one in found]


def test_the_model_is_available_and_loaded(client: FrigateClient) -> None:
    assert client.handshake() == {"model_available": True, "model_loaded": True}


def test_a_model_that_a_client_sends_is_not_taken(
    client: FrigateClient, caplog: pytest.LogCaptureFixture
) -> None:
    header = {"model_data": True, "model_name": "own\n.onnx"}
    (answer,) = client.ask(json.dumps(header).encode(), b"onnx" * 1000)
    assert json.loads(answer) == {"model_saved": False, "model_loaded": False}
    assert "the model 'own\\\\n.onnx' that a client sent was not taken" in caplog.text


def test_the_rows_are_what_the_bare_engine_finds(client: FrigateClient) -> None:
    (wanted,) = wanted_rows(PICTURE)
    assert {0, 2} <= set(wanted[wanted[:, 1] > 0, 0])  # people and cars
    for tensor in (TENSOR, PICTURE):  # with and without the batch of one
        np.testing.assert_allclose(client.detect(tensor), wanted, atol=1e-4)
    assert not client.detect(EMPTY[None]).any()


@pytest.mark.parametrize(
    ("tensor", "header", "said"),
    [
        (np.zeros((1, 320, 320, 3), np.uint8), {}, "set width 416 and height 416"),
        (np.zeros((1, 3, 416, 416), np.uint8), {}, "send the channels last"),
        (np.zeros((1, 416, 416, 3), np.float32), {}, "is of float32"),
        (np.zeros((2, 416, 416, 3), np.uint8), {}, "one picture a request"),
        (np.zeros((1, 640, 640, 3), np.float32), {}, "set width 416 and height 416"),
        (np.zeros(7, np.uint8), {"shape": [1, 416, 416, 3]}, "the tensor has 7 bytes"),
        (np.zeros(7, np.uint8), {"shape": [10**30]}, "has the shape"),
        (TENSOR, {"dtype": "object"}, "is of object"),
        (TENSOR, {"dtype": ["uint8"]}, "'dtype'"),
        (TENSOR, {"shape": None}, "'shape'"),
    ],
)
def test_a_wrong_tensor_is_answered_without_objects_and_explained(
    client: FrigateClient, caplog: pytest.LogCaptureFixture, tensor: Any, header: Any, said: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not client.detect(tensor, **header).any()
    assert said in caplog.text
    assert client.timeouts == 0
    assert client.detect(TENSOR).any()


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"", b""],
        [b"\xff\x00", b"x"],
        [b"[" * 4000, b"x"],
        [b"{}"],
        [HEADER],
        [HEADER, TENSOR.tobytes(), b"more"],
        [b" " * 100_000, b"x"],
        [b"x"] * 50,
    ],
    ids=range(9),
)
def test_a_malformed_message_is_answered_without_objects(client: FrigateClient, frames: list[bytes]) -> None:
    assert not read_rows(client.ask(*frames)).any()
    assert client.detect(TENSOR).any()


def test_a_huge_message_ends_only_its_connection(server: DetectorServer, client: FrigateClient) -> None:
    with FrigateClient(server.addresses[0], timeout_ms=3000) as huge:
        with pytest.raises(zmq.Again):
            huge.ask(HEADER, bytes(largest_tensor(MANIFEST.input) + 1))
        assert client.detect(TENSOR).any()
        huge.reopen()
        assert huge.handshake()["model_loaded"]


def send_half_a_tensor(server: DetectorServer) -> socket.socket:
    connection = zmtp.connect(server.addresses[0])
    zmtp.shake_hands(connection)
    connection.sendall(zmtp.frame(b"", more=True) + zmtp.frame(HEADER, more=True))
    connection.sendall(zmtp.frame(TENSOR.tobytes()[: TENSOR.size // 2], more=False, promised=TENSOR.size))
    return connection


def test_a_slow_client_holds_up_nobody_and_is_answered_in_the_end(
    server: DetectorServer, client: FrigateClient
) -> None:
    silent = zmtp.connect(server.addresses[0])
    silent.sendall(zmtp.GREETING[:5])
    slow = send_half_a_tensor(server)
    assert client.detect(TENSOR).any()
    slow.sendall(TENSOR.tobytes()[TENSOR.size // 2 :])
    while True:
        flags, size = zmtp.receive(slow, 2)
        if flags & zmtp.LONG:
            size = int.from_bytes(bytes([size]) + zmtp.receive(slow, 7), "big")
        content = zmtp.receive(slow, size)
        if size == 480:
            break
        if flags & zmtp.COMMAND and content.startswith(b"\x04PING"):
            slow.sendall(bytes([zmtp.COMMAND, 5]) + b"\x04PONG")
    assert read_rows([content]).any()
    slow.close()
    silent.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_disappears_in_the_middle_is_forgotten(
    server: DetectorServer, client: FrigateClient, reset: bool
) -> None:
    for _ in range(5):
        gone = send_half_a_tensor(server)
        if reset:  # closed without a goodbye
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        with FrigateClient(server.addresses[0]) as hasty:
            hasty._socket.send_multipart([HEADER, TENSOR.tobytes()])
    assert client.detect(TENSOR).any()


def test_each_of_many_clients_gets_its_own_answers(server: DetectorServer) -> None:
    pictures = [PICTURE, street(mirrored=True), EMPTY]
    wanted = wanted_rows(*pictures)
    strange: list[Rows] = []
    served = [threading.Event() for _ in range(9)]

    def ask(number: int) -> None:
        own = wanted[number % 3]
        with FrigateClient(server.addresses[0]) as one:
            one.handshake()
            for _ in range(50):
                rows = one.detect(pictures[number % 3][None])
                if np.allclose(rows, own, atol=1e-4):
                    served[number].set()
                    return
                if rows.any():  # not even an answer without objects, as to a request that waited too long
                    strange.append(rows)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(served))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not strange
    assert all(one.is_set() for one in served)


def test_a_client_without_the_envelope_gets_no_answer(server: DetectorServer, client: FrigateClient) -> None:
    before = server._zmq.counts["refused"]
    context = zmq.Context()
    other = context.socket(zmq.DEALER)
    other.connect(server.addresses[0])
    for frames in ([b"x"], [b"x", HEADER, TENSOR.tobytes()], [b""]):
        other.send_multipart(frames)
        other.setsockopt(zmq.RCVTIMEO, 200)
        with pytest.raises(zmq.Again):
            other.recv_multipart()
    context.destroy(linger=0)
    assert client.detect(TENSOR).any()
    assert server._zmq.counts["refused"] == before + 3


def test_quick_answers_are_not_dropped() -> None:
    """A burst is answered faster than libzmq tells the socket that answers were sent."""
    queue = started_queue(HeldDetector().detect)
    served = ZmqServer(ANY, MANIFEST, queue)
    served.start()
    question = json.dumps({"model_request": True, "model_name": "coco-nano"}).encode()
    context = zmq.Context()
    client = context.socket(zmq.DEALER)
    client.setsockopt(zmq.RCVTIMEO, 60_000)
    client.connect(served.address)
    for _ in range(20):
        for _ in range(100):
            client.send_multipart([b"", question])
        for _ in range(100):
            assert json.loads(client.recv_multipart()[1])["model_loaded"]
    context.destroy(linger=0)
    served.stop(60)
    queue.stop(60)


def test_while_too_many_wait_the_answer_has_no_objects() -> None:
    held = HeldDetector()
    queue = started_queue(held.detect, size=1)
    server = ZmqServer(ANY, MANIFEST, queue)
    server.start()
    held.go.clear()
    queue.submit(EMPTY, lambda answer: None)  # a request of the other protocol
    assert held.entered.acquire(timeout=120)
    with FrigateClient(server.address) as second, FrigateClient(server.address) as third:
        second._socket.send_multipart([HEADER, TENSOR.tobytes()])
        while len(queue._waiting) < 1:
            threading.Event().wait(0.01)
        assert not third.detect(TENSOR).any()
        assert third.handshake()["model_loaded"]  # the engine's work does not hold it up
        held.go.set()
        rows = read_rows(second._socket.recv_multipart())
        assert rows[0].tolist() == pytest.approx([2, 0.75, 0.5, 0.25, 1.0, 0.5])
    assert (server.counts["answered"], server.counts["not now"]) == (1, 1)
    server.stop(5)
    queue.stop(5)


def test_after_a_time_out_a_client_starts_again_and_the_late_answer_is_dropped() -> None:
    held = HeldDetector()
    queue = started_queue(held.detect)
    server = ZmqServer(ANY, MANIFEST, queue)
    server.start()
    held.go.clear()
    with FrigateClient(server.address, timeout_ms=200) as client:
        client.handshake()

        def free_the_detector() -> None:
            while not client.timeouts:
                threading.Event().wait(0.01)
            held.go.set()

        freeing = threading.Thread(target=free_the_detector)
        freeing.start()
        assert not client.detect(TENSOR).any()  # and the handshake again, which waits for the detector
        freeing.join()
        client._timeout_ms = 120_000
        client.reopen()
        assert client.detect(TENSOR)[0, 1] == pytest.approx(0.75)
    server.stop(5)
    queue.stop(5)


def test_errors_of_the_engine_are_answered_without_objects(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> Any:
        raise NotNowError("no engine serves at the moment")

    queue = started_queue(fail)
    server = ZmqServer(ANY, MANIFEST, queue)
    server.start()
    with FrigateClient(server.address) as client:
        assert not client.detect(TENSOR).any()
        assert not client.detect(TENSOR).any()
    assert caplog.text.count("answered without objects: no engine serves") == 1  # not for every frame
    server.stop(5)
    queue.stop(5)


def test_a_local_socket(tmp_path: Path, state: Path) -> None:
    address = f"ipc://{tmp_path}/frigate.sock"
    for _ in range(2):  # what an earlier run left behind is no obstacle
        server = serve_bundle(state, address, http=False)
        assert server.addresses == [address]
        with FrigateClient(address) as client:
            client.handshake()
            assert client.detect(TENSOR).any()
        server.stop()


def test_ipv6_where_the_machine_has_it() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server = ZmqServer(TcpEndpoint("::1", 0), MANIFEST, started_queue(HeldDetector().detect))
    assert server.address.startswith("tcp://[::1]:")
    server.start()
    server.stop(5)


def test_an_address_in_use_and_a_missing_folder_are_reported(server: DetectorServer, tmp_path: Path) -> None:
    port = int(server.addresses[0].rpartition(":")[2])
    queue = started_queue(HeldDetector().detect)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for endpoint in (TcpEndpoint("127.0.0.1", port), LocalEndpoint(tmp_path / "no" / "folder.sock")):
        with pytest.raises(ConfigurationError, match=r"--bind .*: cannot be listened on"):
            ZmqServer(endpoint, MANIFEST, queue)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    queue.stop(5)


def test_the_size_of_the_bundle_is_that_of_the_tests() -> None:
    assert SIZE == (416, 416)
