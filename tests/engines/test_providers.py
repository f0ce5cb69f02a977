"""Execution providers of onnxruntime, asked in a process of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.engines.providers import built_providers


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    built_providers.cache_clear()
    yield
    built_providers.cache_clear()


def test_the_processor_is_among_them_and_onnxruntime_is_not_imported_here() -> None:
    program = (
        "import sys; from edgeagent.engines.providers import built_providers as built; "
        "print('CPUExecutionProvider' in built(), 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_an_onnxruntime_that_ends_its_process_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "onnxruntime.py").write_text("import os; os.abort()", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert built_providers() == ()
    assert "onnxruntime cannot be imported" in caplog.text
    assert "SIGABRT" in caplog.text
