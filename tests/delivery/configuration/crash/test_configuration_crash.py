"""A short run of the crash harness of configurations; ``make crash-test`` tries every step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.delivery.configuration.crash.campaign import SCENARIOS, ConfigurationCampaign
from tests.delivery.configuration.crash.sabotage import (
    folder_of_record_not_synced,
    good_before_probation,
    served_before_written,
)

EVERY, MOMENTS, SEED = 17, 1, 5
LEAST_STEPS = 30


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> ConfigurationCampaign:
    return ConfigurationCampaign(tmp_path_factory.mktemp("crash"))


def test_whenever_it_dies_a_good_configuration_serves_and_the_way_goes_on(
    campaign: ConfigurationCampaign,
) -> None:
    for scenario in SCENARIOS:
        assert len(campaign.steps[scenario]) >= LEAST_STEPS
    outcomes = [campaign.try_point(point) for point in campaign.points(EVERY, MOMENTS, SEED)]
    failures = [f"{outcome.point}: {outcome.failure}" for outcome in outcomes if outcome.failure]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(
    "sabotage",
    [folder_of_record_not_synced, good_before_probation, served_before_written],
    ids=lambda sabotage: sabotage.__name__,
)
def test_the_harness_notices_a_wrong_order(
    campaign: ConfigurationCampaign, sabotage: Callable[[], None]
) -> None:
    assert campaign.notices(sabotage) is not None
