from __future__ import annotations

import pytest

from tests.worker.running import leave_out_running_workers


@pytest.fixture(scope="module", autouse=True)
def _workers_of_other_tests_are_left_out() -> None:
    leave_out_running_workers()
