"""A short run of the crash harness; ``make crash-test`` tries every step and every sabotage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.delivery.crash.campaign import SCENARIOS, Campaign
from tests.delivery.crash.sabotage import (
    good_model_deleted_first,
    marked_before_probation,
    rename_of_slot_not_synced,
    served_before_written,
)

EVERY, MOMENTS, SEED = 13, 2, 20
LEAST_STEPS = 40
QUICK = (marked_before_probation, served_before_written, rename_of_slot_not_synced, good_model_deleted_first)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("crash"))


def test_whenever_it_dies_a_good_model_serves_and_the_update_completes(campaign: Campaign) -> None:
    for scenario in SCENARIOS:
        assert len(campaign.steps[scenario]) >= LEAST_STEPS
    outcomes = [campaign.try_point(point) for point in campaign.points(EVERY, MOMENTS, SEED)]
    failures = [f"{outcome.point}: {outcome.failure}" for outcome in outcomes if outcome.failure]
    assert not failures, "\n".join(failures)
    assert sum(outcome.died for outcome in outcomes) >= len(outcomes) - 2 * MOMENTS


@pytest.mark.parametrize("sabotage", QUICK, ids=lambda sabotage: sabotage.__name__)
def test_the_harness_notices_a_wrong_order(campaign: Campaign, sabotage: Callable[[], None]) -> None:
    assert campaign.notices(sabotage) is not None
