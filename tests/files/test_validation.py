from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from edgeagent.files.validation import Mistake, first_mistake


class Zone(BaseModel):
    points: list[Annotated[int, Field(ge=0)]]

    @model_validator(mode="after")
    def _has_points(self) -> Zone:
        if not self.points:
            raise ValueError("a zone needs points")
        return self


@pytest.mark.parametrize(
    ("data", "text", "value"),
    [
        ({"points": [1, -2, -3]}, "points.1: Input should be greater than or equal to 0", -2),
        ({}, "points: Field required", {}),
        ({"points": []}, "a zone needs points", {"points": []}),
        ([], "Input should be a valid dictionary or instance of Zone", []),
    ],
)
def test_the_first_mistake_says_where_and_what(data: Any, text: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Zone.model_validate(data)
    mistake = first_mistake(caught.value)
    assert (str(mistake), mistake.value) == (text, value)


def test_a_place_leads_to_the_value() -> None:
    assert str(Mistake(("cameras", 0, "zones"), "is wrong", None)) == "cameras.0.zones: is wrong"
