"""A short run of the crash test of updates of the agent; ``make crash-test`` tries every step."""

from __future__ import annotations

import pytest

from tests.delivery.agent.crash.campaign import SCENARIOS, AgentCampaign
from tests.delivery.agent.crash.sabotage import good_at_once

EVERY, MOMENTS, SEED = 40, 1, 7
LEAST_STEPS = 40


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> AgentCampaign:
    return AgentCampaign(tmp_path_factory.mktemp("crash"))


def test_whenever_it_dies_a_good_version_runs_and_the_update_completes(campaign: AgentCampaign) -> None:
    for scenario in SCENARIOS:
        assert len(campaign.steps[scenario.name]) >= LEAST_STEPS
    outcomes = [campaign.try_point(point) for point in campaign.points(EVERY, MOMENTS, SEED)]
    failures = [f"{outcome.point}: {outcome.failure}" for outcome in outcomes if outcome.failure]
    assert not failures, "\n".join(failures)


def test_the_harness_notices_a_version_without_probation(campaign: AgentCampaign) -> None:
    assert campaign.notices(good_at_once) is not None
