from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edgeagent.delivery.repository.expiry import expiring
from tests.delivery.conftest import NewClient
from tests.delivery.signed_repository import Repository, in_days


def keep(new_client: NewClient, repository: Repository, role: str, days: float) -> None:
    """Sign a role for some days, and have the device keep it."""
    repository.role(role).signed.expires = in_days(days)
    if role == "stable":
        repository.publish("stable")
    else:
        repository.publish()
    new_client().refresh()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "stable"])
def test_metadata_are_reported_three_days_before_they_expire(
    new_client: NewClient, repository: Repository, tmp_path: Path, role: str
) -> None:
    keep(new_client, repository, role, 8.0)
    folder = tmp_path / "device" / "metadata"
    assert new_client().expiring() is None
    assert expiring(folder, in_days(4.9)) is None
    told = expiring(folder, in_days(5.1))
    assert told is not None
    assert told.startswith(f"{role}.json of the repository expires at ")
    assert expiring(folder, in_days(9)) is not None


def test_a_timestamp_for_two_days_is_not_reported_every_day(
    new_client: NewClient, repository: Repository, tmp_path: Path
) -> None:
    keep(new_client, repository, "timestamp", 2.0)
    folder = tmp_path / "device" / "metadata"
    assert expiring(folder, in_days(0.9)) is None
    assert expiring(folder, in_days(1.1)) is not None


def test_damaged_metadata_and_none_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "timestamp.json").write_bytes(b"{")
    assert expiring(tmp_path, in_days(0) + timedelta(days=1)) is None
    assert expiring(tmp_path / "nothing", in_days(0)) is None
