"""Width of the frames of the benchmark of the loop."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def even_width(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("loop_efficiency").even_width


@pytest.mark.parametrize("text", ["101", "-4", "0", "2", "x", ""])
def test_a_width_that_the_codec_does_not_write_is_refused(even_width: Any, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected an even number of pixels from 16"):
        even_width(text)


def test_an_even_width_is_taken(even_width: Any) -> None:
    assert even_width("320") == 320
