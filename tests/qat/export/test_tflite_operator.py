"""An operator in front of all others of a TFLite file."""

from __future__ import annotations

import pytest

from edgeagent.files.resources import included_bundles
from edgeagent.qat.export.tflite_operator import insert_first, packed, read_tflite

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")


def test_the_operator_comes_first_and_the_rest_stays() -> None:
    content = (included_bundles()["coco-small"] / "model.tflite").read_bytes()
    model = read_tflite(content)
    operators, codes = len(model.subgraphs[0].operators), len(model.operatorCodes)
    insert_first(model, "QUANTIZE", 1, (7, 5), schema.QuantizeOptionsT())
    changed = read_tflite(packed(model, len(content)))
    first, *others = changed.subgraphs[0].operators
    assert len(others) == operators
    assert first.opcodeIndex == codes == len(changed.operatorCodes) - 1
    assert changed.operatorCodes[codes].builtinCode == schema.BuiltinOperator.QUANTIZE
    assert first.builtinOptionsType == schema.BuiltinOptions.QuantizeOptions
    assert (list(first.inputs), list(first.outputs)) == ([7], [5])
