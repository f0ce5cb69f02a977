"""Messages of Frigate's ZMQ detector protocol, read and written.

Source: frigate/detectors/plugins/zmq_ipc.py of Frigate 0.17. Its side is a REQ socket:

    {"model_request": true, "model_name": "coco-nano"}            -> {"model_available", "model_loaded"}
    {"model_data": true, "model_name": ...}, bytes of a model     -> {"model_saved", "model_loaded"}
    {"shape": [1, 416, 416, 3], "dtype": "uint8", ...}, tensor    -> (20, 6) float32

Frigate ends its use of the detector for good when a model is available and not loaded. So a model is always
said to be loaded, also while an engine is being replaced; frames of that time get an answer without objects.
A model that it sends is not taken: only what was verified and checked serves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import InputSpec
from edgeagent.imaging.frame import Image
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.picture_check import check_picture, check_size, input_shape
from edgeagent.vision.detections import Detections

ROWS, COLUMNS = 20, 6
"""Rows of an answer, and what each holds: class index, score, y_min, x_min, y_max, x_max."""
NO_OBJECTS = bytes(ROWS * COLUMNS * 4)
"""Answer without objects."""
LONGEST_HEADER = 4096
MODEL_IS_LOADED = json.dumps({"model_available": True, "model_loaded": True}).encode()
MODEL_NOT_TAKEN = json.dumps({"model_saved": False, "model_loaded": False}).encode()


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """Frigate asks for a model, or sends one.

    Attributes:
        name: file name of the model in Frigate's configuration.
        sent: whether the file comes with the message.
    """

    name: str
    sent: bool


def read_message(frames: Sequence[Any], spec: InputSpec) -> ModelQuestion | Image:
    """Return what a message asks for.

    Args:
        frames: of the message, behind the empty one of a REQ socket; each gives its bytes as a buffer.
        spec: input of the bundle.

    Returns:
        A question about the model, or a picture (height, width, 3) uint8, a view of its frame.

    Raises:
        BadRequestError: the message is malformed, or its tensor is not the input of the bundle.
    """
    header = _header(frames)
    if header.get("model_request") or header.get("model_data"):
        return ModelQuestion(str(header.get("model_name", ""))[:255], bool(header.get("model_data")))
    if len(frames) != 2:
        raise BadRequestError(f"expected a header and a tensor, got {len(frames)} frames")
    shape, dtype = header.get("shape"), header.get("dtype")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequestError("the header has no list of whole numbers as 'shape'")
    if not isinstance(dtype, str):
        raise BadRequestError("the header has no text as 'dtype'")
    check_picture(shape, dtype, spec)
    tensor = np.frombuffer(frames[1], np.uint8)
    check_size(tensor.size, shape)
    picture: Image = tensor.reshape(input_shape(spec))
    return picture


def encode_rows(detections: Detections, spec: InputSpec) -> bytes:
    """Return the answer for detections in pixels of the tensor: (20, 6) float32, best first, then zeros."""
    rows: npt.NDArray[np.float32] = np.zeros((ROWS, COLUMNS), np.float32)
    best = np.argsort(-detections.scores, kind="stable")[:ROWS]
    used = rows[: len(best)]
    used[:, 0] = detections.classes[best]
    used[:, 1] = detections.scores[best]
    size = np.float32([spec.width, spec.height])  # type: ignore[arg-type]
    corners = detections.boxes[best].reshape(-1, 2, 2) / size  # (n, corner, x y)
    used[:, 2:] = corners[:, :, ::-1].reshape(-1, 4)
    return rows.tobytes()


def largest_tensor(spec: InputSpec) -> int:
    """Return the bytes of the largest tensor that is read, to be refused with a reason.

    Four times the pixels of the bundle as float64, so that a wrong size and a wrong type are both explained.
    """
    return 4 * 8 * math.prod(input_shape(spec))


def _header(frames: Sequence[Any]) -> dict[str, Any]:
    if not frames:
        raise BadRequestError("an empty message")
    raw = bytes(frames[0])
    if len(raw) > LONGEST_HEADER:
        raise BadRequestError(f"the header has {len(raw)} bytes; expected {LONGEST_HEADER} at most")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the header is no JSON") from error
    if not isinstance(header, dict):
        raise BadRequestError("the header is no JSON object")
    return header
