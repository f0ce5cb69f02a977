"""Requests of KServe v2 as JSON and with binary tensors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

from edgeagent.bundle.manifest import InputSpec
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.kserve_messages import encode_answer, longest_body, model_metadata, read_request
from edgeagent.vision.detections import Detections
from tests.serve.served import MANIFEST

SPEC = InputSpec(width=4, height=2, layout="nhwc", colour="bgr")
PIXELS = list(range(24))
NESTED = np.array(PIXELS).reshape(2, 4, 3).tolist()
FOUND = Detections(
    np.array([[1, 2, 3, 4], [0, 0, 1, 1]], np.float32),
    np.array([0.75, 0.5], np.float32),
    np.array([7, 0], np.int32),
)


def tensor(**changed: Any) -> dict[str, Any]:
    whole = {"name": "picture", "shape": [2, 4, 3], "datatype": "UINT8", "data": PIXELS, **changed}
    return {key: value for key, value in whole.items() if value is not None}


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


@pytest.mark.parametrize("data", [PIXELS, NESTED, [NESTED]])
@pytest.mark.parametrize("shape", [[2, 4, 3], [1, 2, 4, 3]])
def test_numbers_flat_or_nested(data: list[Any], shape: list[int]) -> None:
    request = read_request(body(tensor(data=data, shape=shape), id="42"), None, SPEC)
    assert request.picture.tolist() == NESTED
    assert request.picture.dtype == np.uint8
    assert (request.id, request.outputs) == ("42", {"boxes": False, "scores": False, "classes": False})


def test_a_binary_tensor_lies_behind_the_json() -> None:
    text = body(
        tensor(data=None, parameters={"binary_data_size": 24}), parameters={"binary_data_output": True}
    )
    request = read_request(text + bytes(PIXELS), str(len(text)), SPEC)
    assert request.picture.tolist() == NESTED
    assert request.outputs == {"boxes": True, "scores": True, "classes": True}


def test_outputs_are_chosen_one_by_one() -> None:
    wanted = [{"name": "classes", "parameters": {"binary_data": True}}, {"name": "scores"}]
    assert read_request(body(tensor(), outputs=wanted), None, SPEC).outputs == {
        "classes": True,
        "scores": False,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "expected one input"),
        (body(), "expected one input"),
        (body(tensor(), tensor()), "expected one input"),
        (body("picture"), "expected one input"),
        (body(tensor(name="images")), "'images' is not known; it is called 'picture'"),
        (body(tensor(name=["picture"])), "is not known"),
        (body(tensor(shape="2,4,3")), "shape: expected"),
        (body(tensor(shape=[2, 4, -3])), "shape: expected"),
        (body(tensor(shape=[2, 4, 3.0])), "shape: expected"),
        (body(tensor(shape=[2, 8, 3])), "set width 4 and height 2"),
        (body(tensor(datatype=8)), "datatype: expected"),
        (body(tensor(datatype="FP32")), "is of fp32"),
        (body(tensor(data=None)), "neither data nor binary_data_size"),
        (body(tensor(data="AAEC")), "neither data nor binary_data_size"),
        (body(tensor(data=PIXELS[1:])), "has 23 bytes"),
        (body(tensor(data=[])), "from 0 to 255"),
        (body(tensor(data=[256] * 24)), "from 0 to 255"),
        (body(tensor(data=[-1] * 24)), "from 0 to 255"),
        (body(tensor(data=[0.5] * 24)), "from 0 to 255"),
        (body(tensor(data=[10**40] * 24)), "from 0 to 255"),
        (body(tensor(data=[True] * 24)), "from 0 to 255"),
        (body(tensor(data=[[1, 2], [3]])), "same length"),
        (body(tensor(parameters=[])), "parameters: expected an object"),
        (body(tensor(parameters={"shared_memory_region": "x"})), "shared memory"),
        (body(tensor(data=None, parameters={"binary_data_size": 24})), "behind the JSON are 0 bytes"),
        (body(tensor(data=None, parameters={"binary_data_size": "24"})), "binary_data_size is 24"),
        (body(tensor(), outputs=[{"name": "masks"}]), "'masks' is not known; there are boxes, scores"),
        (body(tensor(), outputs=["boxes"]), "is not known"),
        (body(tensor(), outputs="boxes"), "outputs: expected a list"),
        (
            body(tensor(), outputs=[{"name": "boxes", "parameters": {"classification": 3}}]),
            "classification is not supported",
        ),
        (body(tensor(), id=7), "id: expected a text"),
        (body(tensor(), id="x" * 300), "id: expected a text"),
    ],
)
def test_what_is_malformed_is_refused(given: bytes, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        read_request(given, None, SPEC)


@pytest.mark.parametrize("length", ["-1", "x", "²", "", "100000", "9" * 5000])
def test_a_wrong_length_of_the_json_is_refused(length: str) -> None:
    with pytest.raises(BadRequestError):
        read_request(body(tensor()), length, SPEC)


def test_an_answer_as_json() -> None:
    request = read_request(body(tensor(), id="a"), None, SPEC)
    content, length = encode_answer(MANIFEST, request, FOUND)
    assert length is None
    assert json.loads(content) == {
        "model_name": MANIFEST.name,
        "model_version": MANIFEST.version,
        "id": "a",
        "outputs": [
            {"name": "boxes", "datatype": "FP32", "shape": [2, 4], "data": [1, 2, 3, 4, 0, 0, 1, 1]},
            {"name": "scores", "datatype": "FP32", "shape": [2], "data": [0.75, 0.5]},
            {"name": "classes", "datatype": "INT32", "shape": [2], "data": [7, 0]},
        ],
    }


def test_an_answer_with_binary_tensors() -> None:
    wanted = [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "classes"}]
    request = read_request(body(tensor(), outputs=wanted), None, SPEC)
    content, length = encode_answer(MANIFEST, request, FOUND)
    assert length is not None
    scores, classes = json.loads(content[:length])["outputs"]
    assert scores["parameters"] == {"binary_data_size": 8}
    assert "data" not in scores
    assert np.frombuffer(content[length:], "<f4").tolist() == [0.75, 0.5]
    assert classes["data"] == [7, 0]


def test_no_detections_are_tensors_without_rows() -> None:
    request = read_request(body(tensor()), None, SPEC)
    content, _ = encode_answer(MANIFEST, request, Detections.empty())
    assert [one["shape"] for one in json.loads(content)["outputs"]] == [[0, 4], [0], [0]]


def test_the_longest_text_of_a_picture_fits() -> None:
    text = json.dumps({"inputs": [tensor(data=np.full((2, 4, 3), 255).tolist())]})
    assert len(text) < longest_body(SPEC)
    height, width = 416, 416
    row = json.dumps(np.full((1, width, 3), 255).tolist(), separators=(",", ":"))
    assert len(row) * height < longest_body(MANIFEST.input)


def test_the_model_says_what_its_tensors_hold() -> None:
    told = model_metadata(MANIFEST)
    assert told["inputs"] == [{"name": "picture", "datatype": "UINT8", "shape": [416, 416, 3]}]
    assert [one["shape"] for one in told["outputs"]] == [[-1, 4], [-1], [-1]]
    assert json.loads(told["parameters"]["labels"])[:2] == ["person", "bicycle"]
    assert told["parameters"]["channels"] == "bgr"
