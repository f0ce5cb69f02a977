"""Search over post-training quantizations: the candidates for a baseline.

::

    ranges of each method, and the best method for each grid     -> candidates, ranked by output error
    the same on the equalized graph, where it differs
    the best so far, and the best of least squared error: biases corrected; weights and biases corrected

A fast search tries the few recipes that win in practice (:mod:`edgeagent.qat.ptq.recipe`). A caller with
labels measures the candidates in their engine and ranks them by accuracy. Any candidate can be trained
further; its teacher is the float graph, not the candidate itself, whose weights may have been corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgeagent.qat.ptq.quantizer import PtqCandidate
from edgeagent.qat.ptq.recipe import Effort, PtqRecipe, first_recipes


def candidates(
    make: Callable[[PtqRecipe], PtqCandidate], effort: Effort, equalizable: bool
) -> Iterator[PtqCandidate]:
    """Yield the candidates of a search; each is independent of the others.

    Args:
        make: function that quantizes by a recipe, such as
            :meth:`edgeagent.qat.ptq.quantizer.Quantizer.quantize`.
        effort: which recipes are tried.
        equalizable: whether there is something to equalize in the graph.
    """
    found = []
    for recipe in first_recipes(effort, equalizable):
        found.append(make(recipe))
        yield found[-1]
    if effort != "full":
        return
    for candidate in _to_correct(found):
        for recipe in candidate.recipe.corrected():
            yield make(recipe)


def _to_correct(found: Sequence[PtqCandidate]) -> list[PtqCandidate]:
    """Return the best candidate and the best ``mse`` candidate, which corrections suit best."""
    best = min(found, key=lambda candidate: candidate.error)
    plain = [candidate for candidate in found if candidate.recipe.ranges == "mse"]
    second = min(plain, key=lambda candidate: candidate.error)
    return [best] if second is best else [best, second]
