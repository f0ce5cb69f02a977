"""What did an update change? Each version beside the one before it on the same board and delegate."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from edgeagent.fleet.queries.fleet_row import FleetRow
from edgeagent.fleet.queries.model_figures import ModelFigures


class UpdateEffect(FleetRow):
    """Effect of a version on a board and delegate; a ratio above 1 is more than before.

    Attributes:
        bundle, board, delegate: of both versions.
        before, after: versions.
        p50_ratio, p99_ratio, joules_ratio: after over before; None where one is not known.
        map_difference: after minus before; None where one is not known.
    """

    bundle: str
    board: str
    delegate: str
    before: str
    after: str
    p50_ratio: float | None
    p99_ratio: float | None
    joules_ratio: float | None
    map_difference: float | None


def update_effects(figures: Sequence[ModelFigures]) -> list[UpdateEffect]:
    """Return the effect of each version, by the order in which versions first served in the span.

    Those that served from its beginning to its end are ordered by their numbers.

    Devices differ between the two: where a rollout goes by groups, compare those groups
    (docs/fleet-page.md).
    """
    series: dict[tuple[str, str, str], list[ModelFigures]] = defaultdict(list)
    for one in figures:
        if one.bundle and one.frames:
            series[one.bundle, one.board, one.delegate].append(one)
    effects = []
    for (bundle, board, delegate), versions in series.items():
        ordered = sorted(versions, key=lambda one: (one.first, one.last, _number(one.version)))
        for before, after in itertools.pairwise(ordered):
            effects.append(
                UpdateEffect(
                    bundle=bundle,
                    board=board,
                    delegate=delegate,
                    before=before.version,
                    after=after.version,
                    p50_ratio=_ratio(after.p50_ms, before.p50_ms),
                    p99_ratio=_ratio(after.p99_ms, before.p99_ms),
                    joules_ratio=_ratio(after.joules_per_inference, before.joules_per_inference),
                    map_difference=None
                    if after.map50_95 is None or before.map50_95 is None
                    else after.map50_95 - before.map50_95,
                )
            )
    return effects


def _number(version: str) -> tuple[int, Version | str]:
    try:
        return (1, Version(version))
    except InvalidVersion:
        return (0, version)


def _ratio(after: float | None, before: float | None) -> float | None:
    return after / before if after is not None and before else None
