from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.engines.rknn_file import MOST_TEXT, parse_rknn
from tests.engines.rknn_files import write_rknn

TEXT: dict[str, Any] = {
    "graph": [
        {"left": "output", "left_tensor_id": 1, "right_tensor_id": 2},
        {"left": "input", "left_tensor_id": 0, "right_tensor_id": 0},
        {"left": "output", "left_tensor_id": 0, "right_tensor_id": 1},
    ],
    "norm_tensor": [
        {"tensor_id": 0, "url": "picture", "size": [1, 3, 4, 6]},
        {"tensor_id": 1, "url": "boxes", "size": [1, 4, 2, 3]},
        {"tensor_id": 2, "url": "classes", "size": [1, 80, 2, 3]},
    ],
    "target_platform": ["rk3566", "rk3568"],
}


def content(tmp_path: Path, **changed: Any) -> bytes:
    return write_rknn(tmp_path / "m.rknn", b"graph", {**TEXT, **changed}).read_bytes()


def test_tensors_are_in_the_order_of_the_runtime(tmp_path: Path) -> None:
    file = parse_rknn(content(tmp_path))
    assert file.inputs == {"picture": (1, 3, 4, 6)}
    assert list(file.outputs.items()) == [("boxes", (1, 4, 2, 3)), ("classes", (1, 80, 2, 3))]
    assert file.chips == ("rk3566", "rk3568")


@pytest.mark.parametrize(
    "changed",
    [
        {"graph": []},
        {"graph": TEXT["graph"][:1]},
        {"norm_tensor": TEXT["norm_tensor"][:2]},
        {"norm_tensor": [{**one, "size": [1, -3, 4]} for one in TEXT["norm_tensor"]]},
        {"norm_tensor": [{**one, "url": 5} for one in TEXT["norm_tensor"]]},
        {"target_platform": None},
        {"norm_tensor": "text"},
        {"norm_tensor": [{**one, "url": "same"} for one in TEXT["norm_tensor"]]},
        {"norm_tensor": [{**one, "size": ""} for one in TEXT["norm_tensor"]]},
    ],
)
def test_a_file_that_does_not_name_its_tensors(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not name its tensors"):
        parse_rknn(content(tmp_path, **changed))


def test_a_file_that_is_another_or_cut(tmp_path: Path) -> None:
    whole = content(tmp_path)
    with pytest.raises(ValueError, match="is no RKNN file"):
        parse_rknn(b"ONNX" + whole[4:])
    with pytest.raises(ValueError, match="has version 7 of the format, known is 6"):
        parse_rknn(whole[:8] + b"\7" + whole[9:])
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"cut|no RKNN file|does not name"):
            parse_rknn(whole[:length])


def test_a_text_that_no_compiler_writes_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"its text has \d+ bytes, at most 1048576 are read"):
        parse_rknn(content(tmp_path, remark=" " * MOST_TEXT))


@given(
    text=st.recursive(
        st.none() | st.integers() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    ["graph", "norm_tensor", "left", "left_tensor_id", "right_tensor_id", "url", "size"]
                ),
                one,
            )
        ),
    )
)
def test_any_text_is_read_or_refused(text: Any) -> None:
    encoded = json.dumps(text).encode()
    head = b"RKNN\0\0\0\0" + (6).to_bytes(8, "little") + bytes(48)
    with contextlib.suppress(ValueError):
        parse_rknn(head + len(encoded).to_bytes(8, "little") + encoded)
