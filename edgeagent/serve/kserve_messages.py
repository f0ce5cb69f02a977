"""Requests and answers of the Open Inference Protocol (KServe v2) over HTTP, with JSON or binary tensors.

Sources: open-inference-protocol, specification/protocol/inference_rest.md; Triton Inference Server,
docs/protocol/extension_binary_data.md. A tensor is a list of numbers in the JSON, or lies behind the JSON as
bytes: then ``Inference-Header-Content-Length`` is the length of the JSON, and ``binary_data_size`` that of
the tensor.

The model of this protocol: one input ``picture``, (height, width, 3) UINT8 of the bundle's size with its
channels in the bundle's order; three outputs after decoding and non-maximum suppression, best first:
``boxes`` (n, 4) FP32 x1 y1 x2 y2 in pixels of the picture, ``scores`` (n) FP32, ``classes`` (n) INT32.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import InputSpec, Manifest
from edgeagent.imaging.frame import Image
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.picture_check import CHANNELS, check_picture, check_size, input_shape
from edgeagent.version import __version__
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import MAX_DETECTIONS

INPUT = "picture"
OUTPUTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "boxes": ("FP32", (4,)),
    "scores": ("FP32", ()),
    "classes": ("INT32", ()),
}
"""Type of each output, and its shape behind the number of detections."""
LENGTH_OF_JSON = "inference-header-content-length"
LONGEST_ID = 256
CHARACTERS_OF_A_NUMBER, CHARACTERS_OF_THE_REST = 6, 65_536
"""Longest text of a value in a JSON tensor with its comma and a bracket, and of all that is no tensor."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request for detections.

    Attributes:
        picture: (height, width, 3) uint8.
        id: given by the client; None where it gave none.
        outputs: names that are wanted; the value says whether as binary data.
    """

    picture: Image
    id: str | None
    outputs: Mapping[str, bool]


def longest_body(spec: InputSpec) -> int:
    """Return the largest number of bytes of a request."""
    return CHARACTERS_OF_A_NUMBER * math.prod(input_shape(spec)) + CHARACTERS_OF_THE_REST


def read_request(body: bytes, length_of_json: str | None, spec: InputSpec) -> InferRequest:
    """Return a request that was received.

    Args:
        body: of the HTTP request.
        length_of_json: value of its header ``Inference-Header-Content-Length``, if it has one.
        spec: input of the bundle.

    Raises:
        BadRequestError: it is malformed, or its tensor is not the input of the bundle.
    """
    length = len(body)
    if length_of_json is not None:
        if not re.fullmatch(r"[0-9]{1,9}", length_of_json) or int(length_of_json) > length:
            raise BadRequestError("Inference-Header-Content-Length is not the length of the JSON in the body")
        length = int(length_of_json)
    try:
        request = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is no JSON; see Inference-Header-Content-Length") from error
    if not isinstance(request, dict):
        raise BadRequestError("the body is no JSON object")
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadRequestError(f"expected one input, {INPUT!r}")
    picture = _picture(inputs[0], memoryview(body)[length:], spec)
    number = request.get("id")
    if number is not None and (not isinstance(number, str) or len(number) > LONGEST_ID):
        raise BadRequestError(f"id: expected a text of at most {LONGEST_ID} characters")
    return InferRequest(picture, number, _wanted_outputs(request))


def encode_answer(manifest: Manifest, request: InferRequest, found: Detections) -> tuple[bytes, int | None]:
    """Return the body of an answer, and the length of its JSON where binary data follows."""
    tensors = _tensors(found)
    answer: dict[str, Any] = {"model_name": manifest.name, "model_version": manifest.version, "outputs": []}
    if request.id is not None:
        answer["id"] = request.id
    binary: list[bytes] = []
    for name, as_binary in request.outputs.items():
        tensor = tensors[name]
        output: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name][0], "shape": list(tensor.shape)}
        if as_binary:
            binary.append(tensor.tobytes())
            output["parameters"] = {"binary_data_size": tensor.nbytes}
        else:
            output["data"] = tensor.ravel().tolist()
        answer["outputs"].append(output)
    text = json.dumps(answer).encode()
    return (text, None) if not binary else (text + b"".join(binary), len(text))


def server_metadata() -> dict[str, Any]:
    """Return the answer to ``/v2``."""
    return {"name": "edgeagent", "version": __version__, "extensions": ["binary_tensor_data"]}


def model_metadata(manifest: Manifest) -> dict[str, Any]:
    """Return the answer to ``/v2/models/NAME``: tensors, and in ``parameters`` what they hold."""
    spec = manifest.input
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": "edgeagent",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": list(input_shape(spec))}],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, *rest]}
            for name, (datatype, rest) in OUTPUTS.items()
        ],
        "parameters": {
            "channels": spec.colour,
            "boxes": f"x1 y1 x2 y2 in pixels of the picture, at most {MAX_DETECTIONS}, after suppression",
            "labels": json.dumps(manifest.labels),
        },
    }


def _picture(given: dict[str, Any], binary: memoryview, spec: InputSpec) -> Image:
    shape, datatype = given.get("shape"), given.get("datatype")
    if given.get("name") != INPUT:
        raise BadRequestError(
            f"the input {str(given.get('name'))[:64]!r} is not known; it is called {INPUT!r}"
        )
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequestError("shape: expected a list of whole numbers")
    if not isinstance(datatype, str):
        raise BadRequestError("datatype: expected a text, such as UINT8")
    check_picture(shape, datatype.lower(), spec)
    parameters = _parameters(given)
    if "shared_memory_region" in parameters:
        raise BadRequestError("tensors in shared memory are not taken; send them in the body")
    size = parameters.get("binary_data_size")
    if size is None:
        values = _numbers(given.get("data"))
    elif type(size) is not int or size != len(binary):
        raise BadRequestError(f"binary_data_size is {size}, behind the JSON are {len(binary)} bytes")
    else:
        values = np.frombuffer(binary, np.uint8)
    check_size(values.size, shape)
    picture: Image = values.reshape(spec.height, spec.width, CHANNELS)
    return picture


def _numbers(data: Any) -> npt.NDArray[np.uint8]:
    """Return the values of a JSON tensor, flat or nested."""
    if not isinstance(data, list):
        raise BadRequestError("the input has neither data nor binary_data_size")
    try:
        values = np.asarray(data)
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadRequestError("data: the lists do not have the same length") from error
    if values.dtype.kind not in "iu" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        raise BadRequestError("data: expected whole numbers from 0 to 255")
    return values.astype(np.uint8)


def _wanted_outputs(request: dict[str, Any]) -> dict[str, bool]:
    """Return the names of the wanted outputs, and which of them as binary data."""
    binary = _parameters(request).get("binary_data_output") is True
    wanted = request.get("outputs")
    if not wanted:
        return dict.fromkeys(OUTPUTS, binary)
    if not isinstance(wanted, list):
        raise BadRequestError("outputs: expected a list")
    return dict(_output(one, binary) for one in wanted)


def _output(given: Any, binary: bool) -> tuple[str, bool]:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or name not in OUTPUTS:
        raise BadRequestError(f"the output {str(name)[:64]!r} is not known; there are {', '.join(OUTPUTS)}")
    own = _parameters(given)
    for key in ("classification", "shared_memory_region"):
        if key in own:
            raise BadRequestError(f"output {name}: {key} is not supported")
    return name, own.get("binary_data", binary) is True


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("parameters", {})
    if not isinstance(found, dict):
        raise BadRequestError("parameters: expected an object")
    return found


def _tensors(found: Detections) -> dict[str, npt.NDArray[Any]]:
    return {
        "boxes": np.ascontiguousarray(found.boxes, "<f4"),
        "scores": np.ascontiguousarray(found.scores, "<f4"),
        "classes": np.ascontiguousarray(found.classes, "<i4"),
    }
