"""Requests with any content to the served detector are read or refused; nothing else is raised."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from edgeagent.bundle.manifest import InputSpec
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.frigate_messages import ModelQuestion, read_message
from edgeagent.serve.kserve_messages import OUTPUTS, read_request
from tests.fuzz import DEEP, bounded, json_values

SPEC = InputSpec(width=2, height=2, layout="nhwc", colour="bgr")
PIXELS = bytes(12)
shapes = st.sampled_from([[1, 2, 2, 3], [2, 2, 3], [12], [2, 2]]) | json_values
headers = st.fixed_dictionaries(
    {"shape": shapes, "dtype": st.just("uint8") | json_values},
    optional={"model_request": json_values, "model_data": json_values, "model_name": json_values},
)
tensors = st.just(PIXELS) | st.binary(max_size=20)
parameters = st.fixed_dictionaries(
    {}, optional={"binary_data_size": st.just(12) | json_values, "shared_memory_region": json_values}
)
inputs = st.fixed_dictionaries(
    {"name": st.just("picture") | json_values, "shape": shapes, "datatype": st.just("UINT8") | json_values},
    optional={"data": st.lists(st.integers(-1, 256), max_size=13) | json_values, "parameters": parameters},
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(inputs, max_size=2) | json_values},
    optional={
        "id": json_values,
        "parameters": json_values,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from([*OUTPUTS, "x"])})) | json_values,
    },
)


@bounded
@given(header=headers | json_values, frames=st.lists(tensors, max_size=3))
@example(header={"shape": [1, 2, 2, 3], "dtype": "uint8"}, frames=[PIXELS])
def test_frigate(header: Any, frames: list[bytes]) -> None:
    for first in (json.dumps(header).encode(), frames[0] if frames else DEEP, DEEP):
        try:
            found = read_message([first, *frames], SPEC)
        except BadRequestError as error:
            assert len(str(error)) < 300
        else:
            assert isinstance(found, ModelQuestion) or found.shape == (2, 2, 3)


@bounded
@given(request=requests | json_values, tensor=tensors, length=st.none() | st.text(max_size=5))
@example(
    request={
        "inputs": [
            {
                "name": "picture",
                "shape": [2, 2, 3],
                "datatype": "UINT8",
                "parameters": {"binary_data_size": 12},
            }
        ]
    },
    tensor=PIXELS,
    length=None,
)
def test_kserve(request: Any, tensor: bytes, length: str | None) -> None:
    text = json.dumps(request).encode()
    for body, told in ((text, length), (text + tensor, str(len(text))), (DEEP, None)):
        try:
            found = read_request(body, told, SPEC)
        except BadRequestError as error:
            assert len(str(error)) < 300
        else:
            assert found.picture.shape == (2, 2, 3)
            assert found.picture.dtype == np.uint8
            assert set(found.outputs) <= set(OUTPUTS)
