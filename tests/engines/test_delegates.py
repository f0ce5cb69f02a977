"""The catalogue, and what is written about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeagent.engines.delegate_table import all_delegates, delegate_table
from edgeagent.engines.delegates import CATALOGUE, external_delegate, find_delegates
from edgeagent.engines.loading import ENGINES, READERS
from edgeagent.errors import EngineError

DOCUMENT = Path(__file__).parents[2] / "docs" / "delegates.md"


def test_the_document_is_the_catalogue() -> None:
    """Its table is what ``python -m edgeagent.engines.delegate_table`` prints."""
    (table,) = re.findall(r"(?:^\|.*\n)+", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert table == delegate_table(all_delegates())


def test_entries_are_consistent() -> None:
    names = [one.name for one in CATALOGUE]
    assert len(set(names)) == len(names)
    for one in CATALOGUE:
        assert one.engine in ENGINES
        assert one.engine in READERS[one.format]
    assert CATALOGUE[-1].name == "onnxruntime-cpu"  # a base dependency, so the last resort


def test_names() -> None:
    names = ["tflite-edgetpu", "tflite-ethosu", "tflite-xnnpack"]
    assert [one.name for one in find_delegates("tflite")] == names
    assert [one.name for one in find_delegates("openvino-cpu")] == ["openvino-cpu"]
    with pytest.raises(
        EngineError, match="no delegate or engine is called 'fastest'; choose from onnxruntime-"
    ):
        find_delegates("fastest")


def test_a_library_of_the_operator() -> None:
    one = external_delegate("/opt/npu/libnpu.so", {"cores": "2"})
    assert (one.name, one.library, dict(one.options)) == (
        "tflite-external",
        "/opt/npu/libnpu.so",
        {"cores": "2"},
    )
