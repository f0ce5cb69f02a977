from __future__ import annotations

import numpy as np
import pytest

from edgeagent.errors import EngineError
from edgeagent.vision.scores import checked_scores


def test_rounding_beyond_the_range_is_cut_off() -> None:
    assert checked_scores(np.float32([0.5, 1.004, -0.004])).tolist() == [0.5, 1.0, 0.0]  # type: ignore[arg-type]
    assert len(checked_scores(np.zeros(0, np.float32))) == 0


@pytest.mark.parametrize("wrong", [61.0, -3.5, np.nan, np.inf])
def test_a_number_that_is_no_score_is_refused(wrong: float) -> None:
    with pytest.raises(EngineError, match="a score is 0"):
        checked_scores(np.array([0.5, wrong], np.float32))
