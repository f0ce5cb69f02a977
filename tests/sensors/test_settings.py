from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgeagent.settings.sections.power import PowerSettings


def test_nothing_is_declared_by_default() -> None:
    assert PowerSettings() == PowerSettings(idle_w=None, full_w=None, budget_w=None)


@pytest.mark.parametrize(
    "values", [{"full_w": 8.0}, {"idle_w": 8.0, "full_w": 8.0}, {"idle_w": 0.0}, {"budget_w": -1.0}]
)
def test_invalid_power_settings(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PowerSettings(**values)
