"""Choice among calibrations."""

from __future__ import annotations

from typing import Any, cast

from edgeagent.qat.factory.baseline import PtqBaseline, nearest_to_float
from edgeagent.qat.ptq.recipe import PtqRecipe


def candidate(method: Any, error: float, accuracy: float | None) -> PtqBaseline:
    return PtqBaseline(PtqRecipe(method), cast(Any, None), error, accuracy)


def test_a_gain_over_the_float_model_is_chance() -> None:
    lucky, near, far = (
        candidate("mse", 0.5, 0.68),
        candidate("minmax", 0.1, 0.62),
        candidate("average", 0.01, 0.59),
    )
    assert nearest_to_float([lucky, near, far], 0.61) is near
    assert nearest_to_float([lucky, far], 0.61) is lucky


def test_below_the_float_model_the_most_accurate_is_chosen() -> None:
    first, second = candidate("mse", 0.5, 0.60), candidate("minmax", 0.1, 0.59)
    assert nearest_to_float([first, second], 0.61) is first


def test_without_accuracy_the_output_error_decides() -> None:
    first, second = candidate("mse", 0.5, None), candidate("minmax", 0.1, None)
    assert nearest_to_float([first, second], 0.0) is second
    assert nearest_to_float([candidate("mse", 0.5, 0.9), second], 0.0) is second
