"""ONNX Runtime with a provider that is not the CPU: never the CPU in its place without a word."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from edgeagent.engines.delegates import CATALOGUE, Delegate, find_delegates
from edgeagent.engines.loading import load_on
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.errors import EngineError
from tests.engines.onnx_graphs import one_operator

HERE = onnxruntime.get_available_providers()
ABSENT = [one for one in CATALOGUE if one.engine == "onnxruntime" and one.device not in HERE]


@pytest.mark.parametrize("delegate", ABSENT, ids=lambda one: one.name)
def test_a_provider_that_is_not_here_is_refused(
    tmp_path: Path, delegate: Delegate, capfd: pytest.CaptureFixture[str]
) -> None:
    path = one_operator(tmp_path / "m.onnx")
    with pytest.raises(EngineError) as caught:
        load_on(delegate, path, cache=tmp_path)
    assert str(caught.value) == (
        f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: it was built without "
        f"{delegate.device} (it has {', '.join(HERE)}); install the package of this board"
    )
    assert capfd.readouterr().out == ""


def test_a_misspelt_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="it was built without CudaProvider"):
        OnnxRuntimeEngine(one_operator(tmp_path / "m.onnx"), 1, "CudaProvider")


def test_the_cpu_of_the_catalogue(tmp_path: Path) -> None:
    (delegate,) = find_delegates("onnxruntime-cpu")
    facts = load_on(delegate, one_operator(tmp_path / "m.onnx"), threads=1).facts
    assert (facts.delegate, facts.placed) == ("CPUExecutionProvider", 1.0)


@pytest.mark.skipif("AzureExecutionProvider" not in HERE, reason="this onnxruntime has no such provider")
def test_a_provider_that_takes_nothing_has_no_share(tmp_path: Path) -> None:
    """The one other provider of the common packages calls services: it runs no node of a graph."""
    facts = OnnxRuntimeEngine(one_operator(tmp_path / "m.onnx"), 1, "AzureExecutionProvider").facts
    assert (facts.delegate, facts.placed) == ("AzureExecutionProvider", 0.0)
