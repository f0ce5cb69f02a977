"""First model of a run: attempts until a delegate works."""

from __future__ import annotations

from typing import Any, cast

import pytest

from edgeagent.daemon import model_start
from edgeagent.daemon.model_start import keep_starting
from edgeagent.detection.exchange import ModelExchange
from edgeagent.errors import BundleError, EngineError, NoCandidateError

MODEL = cast(ModelExchange, object())


class Attempts:
    """Start that raises the given errors, one for each attempt, and then works."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    def __call__(self) -> ModelExchange:
        if self._errors:
            raise self._errors.pop(0)
        return MODEL


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(cast(Any, model_start).time, "sleep", found.append)
    return found


def test_each_attempt_that_fails_is_told_and_the_pause_doubles(pauses: list[float]) -> None:
    told: list[str] = []
    start = Attempts(*(EngineError(f"try {number}") for number in range(9)))
    assert keep_starting(start, told.append) is MODEL
    assert told == [f"try {number}" for number in range(9)]
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]


@pytest.mark.parametrize("error", [NoCandidateError("steam"), BundleError("damaged")])
def test_an_error_that_stays_is_raised(error: Exception, pauses: list[float]) -> None:
    with pytest.raises(type(error), match=str(error)):
        keep_starting(Attempts(EngineError("busy"), error), lambda reason: None)
    assert pauses == [5.0]
