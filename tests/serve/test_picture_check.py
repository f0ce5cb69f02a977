"""A tensor that is not the input of the bundle is refused, with what to change."""

from __future__ import annotations

import pytest

from edgeagent.bundle.manifest import InputSpec
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.picture_check import check_picture, check_size, input_shape

SPEC = InputSpec(width=416, height=320, layout="nhwc", colour="rgb")


@pytest.mark.parametrize("shape", [[320, 416, 3], [1, 320, 416, 3]])
def test_the_input_of_the_bundle_is_taken(shape: list[int]) -> None:
    check_picture(shape, "uint8", SPEC)
    check_size(320 * 416 * 3, shape)
    assert input_shape(SPEC) == (320, 416, 3)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        (
            [1, 3, 320, 416],
            "uint8",
            r"\[1, 3, 320, 416\].*takes \[1, 320, 416, 3\] uint8, rgb; .*channels last",
        ),
        ([1, 320, 320, 3], "uint8", "set width 416 and height 320"),
        ([4, 320, 416, 3], "uint8", "one picture a request"),
        ([1, 320, 416, 1], "uint8", "has the shape"),
        ([], "uint8", r"has the shape \[\]"),
        ([1] * 500, "uint8", r"has the shape \[1, 1.*\.\.\., the bundle"),
        ([1, 320, 416, 3], "float32", "is of float32.*send pixels as they are"),
        ([1, 320, 416, 3], "x" * 500, "is of x{32}, "),
    ],
)
def test_another_one_is_refused(shape: list[int], dtype: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        check_picture(shape, dtype, SPEC)


@pytest.mark.parametrize("size", [0, 320 * 416 * 3 - 1, 320 * 416 * 3 * 4])
def test_bytes_that_are_not_those_of_the_shape_are_refused(size: int) -> None:
    with pytest.raises(BadRequestError, match=f"has {size} bytes, its shape .* needs 399360"):
        check_size(size, [1, 320, 416, 3])
