"""A short run of the crash harness; ``make crash-test`` tries every step with more power cuts."""

from __future__ import annotations

import pytest

from tests.provisioning.crash import SCENARIOS, ProvisioningCampaign, Sabotage, no_fsync, source_removed_first

LEAST_STEPS = {"first": 15, "again": 15, "edited": 20, "same": 1}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> ProvisioningCampaign:
    return ProvisioningCampaign(tmp_path_factory.mktemp("crash"))


def test_whenever_it_dies_the_configuration_is_whole_and_can_be_applied(
    campaign: ProvisioningCampaign,
) -> None:
    for scenario in SCENARIOS:
        assert len(campaign.steps[scenario]) >= LEAST_STEPS[scenario]
    points = campaign.quick_points()
    failures = [f"{point}: {text}" for point in points if (text := campaign.try_point(point)) is not None]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("sabotage", [no_fsync, source_removed_first], ids=lambda sabotage: sabotage.__name__)
def test_the_harness_notices_a_broken_program(campaign: ProvisioningCampaign, sabotage: Sabotage) -> None:
    assert campaign.notices(sabotage)
