"""Choice among trials, with those that these pictures do not tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeagent.accuracy.map_interval import map_difference
from edgeagent.qat.description.preprocessing import Preprocessing
from edgeagent.qat.description.trials import Trial


@dataclass(frozen=True)
class Choice:
    """Chosen trial.

    Attributes:
        trial: the trial.
        alike: further trials whose score these pictures do not tell from the best one.
        usual: whether habit decided: the trial is not the one of the highest score.
    """

    trial: Trial
    alike: tuple[Trial, ...] = ()
    usual: bool = False


def choose(trials: Sequence[Trial], habits: Sequence[Callable[[Preprocessing], bool]]) -> Choice:
    """Return the trial of the highest score; among those that score alike, the most usual one.

    Two trials score alike where the 95 % interval of the difference of their scores (paired bootstrap over
    pictures) contains 0.

    Args:
        trials: trials on the same pictures.
        habits: whether a preprocessing is usual, the strongest habit first.
    """
    best = max(trials, key=lambda one: one.score)
    alike = [one for one in trials if one is best or not is_better(best, one)]
    chosen = max(alike, key=lambda one: (*(habit(one.preprocessing) for habit in habits), one.score))
    others = sorted((one for one in alike if one is not chosen), key=lambda one: -one.score)
    return Choice(chosen, tuple(others), chosen is not best)


def is_better(one: Trial, other: Trial) -> bool:
    """Return whether the pictures show that a trial scores higher than another."""
    low, _ = map_difference(one.resampled, other.resampled)
    return low > 0
