"""``tritonclient`` against the real bundle: health, metadata, binary and JSON tensors, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

from edgeagent.serve.detector_server import DetectorServer
from tests.serve.served import EMPTY, MANIFEST, bare_detections, street

triton: Any = pytest.importorskip(
    "tritonclient.http", reason="tritonclient is not installed: pip install 'tritonclient[http]'"
)

PICTURE = street()


@pytest.fixture
def client(server: DetectorServer) -> Iterator[Any]:
    opened = triton.InferenceServerClient(server.addresses[1].removeprefix("http://"), network_timeout=120)
    yield opened
    opened.close()


def picture(pixels: Any, binary: bool = True) -> Any:
    tensor = triton.InferInput("picture", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return tensor


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MANIFEST.name)
    assert client.is_model_ready(MANIFEST.name, MANIFEST.version)
    assert not client.is_model_ready("yolo")
    assert client.get_server_metadata()["name"] == "edgeagent"
    assert client.get_model_metadata(MANIFEST.name)["inputs"][0]["shape"] == [416, 416, 3]


@pytest.mark.parametrize("binary", [True, False])
def test_boxes_scores_and_classes_are_what_the_bare_engine_finds(client: Any, binary: bool) -> None:
    (wanted,) = bare_detections(PICTURE)
    outputs = [
        triton.InferRequestedOutput(name, binary_data=binary) for name in ("boxes", "scores", "classes")
    ]
    found = client.infer(MANIFEST.name, [picture(PICTURE, binary)], outputs=outputs, request_id="7")
    assert found.get_response()["id"] == "7"
    assert len(wanted) >= 4
    np.testing.assert_allclose(found.as_numpy("boxes"), wanted.boxes, atol=0.05)
    np.testing.assert_allclose(found.as_numpy("scores"), wanted.scores, atol=1e-4)
    assert found.as_numpy("classes").tolist() == wanted.classes.tolist()


def test_a_batch_of_one_and_a_picture_without_objects(client: Any) -> None:
    found = client.infer(MANIFEST.name, [picture(EMPTY[None])])
    assert found.as_numpy("boxes").shape == (0, 4)
    assert found.as_numpy("scores").shape == (0,)


def test_errors_are_those_of_the_protocol(client: Any) -> None:
    wrong = np.zeros((320, 320, 3), np.uint8)
    with pytest.raises(triton.InferenceServerException, match="set width 416 and height 416"):
        client.infer(MANIFEST.name, [picture(wrong)])
    with pytest.raises(triton.InferenceServerException, match="no such model"):
        client.infer("yolo", [picture(PICTURE)])
    with pytest.raises(triton.InferenceServerException, match="compressed"):
        client.infer(MANIFEST.name, [picture(PICTURE)], request_compression_algorithm="gzip")
    assert client.infer(MANIFEST.name, [picture(PICTURE)]).as_numpy("scores").size
