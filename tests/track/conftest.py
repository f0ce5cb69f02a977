"""Trackers: each test that asks for one runs with all."""

from __future__ import annotations

import pytest

from edgeagent.track.choice import TrackerName, create_tracker
from edgeagent.track.tracker import Tracker, TrackerOptions
from tests.track.scenes import MakeTracker


@pytest.fixture(params=["bytetrack", "ocsort"])
def make(request: pytest.FixtureRequest) -> MakeTracker:
    name: TrackerName = request.param

    def create(**options: float) -> Tracker:
        return create_tracker(name, TrackerOptions(**options))  # type: ignore[arg-type]

    return create


@pytest.fixture
def tracker(make: MakeTracker) -> Tracker:
    return make()
