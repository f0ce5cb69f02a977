"""Arming: the state lasts, and nothing changes that is not stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.errors import EdgeagentError
from edgeagent.events.arming import ARMED, Arming


def test_a_device_is_armed_until_it_is_disarmed_and_stays_so_over_a_restart(tmp_path: Path) -> None:
    changes: list[bool] = []
    first = Arming(tmp_path, lambda: 100.0)
    first.on_change = lambda: changes.append(first.armed)
    assert (first.armed, first.since) == (True, 100.0)
    assert first.arm() == "was armed before"
    assert first.disarm() == "disarmed"
    assert first.disarm() == "was disarmed before"
    assert changes == [False]
    again = Arming(tmp_path, lambda: 200.0)
    assert (again.armed, again.since) == (False, 100.0)
    assert again.arm() == "armed"
    assert (again.armed, again.since, Arming(tmp_path).armed) == (True, 200.0, True)


def test_a_state_that_cannot_be_stored_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arming = Arming(tmp_path / "file" / "state")
    with pytest.raises(EdgeagentError, match=r"armed\.json: cannot be written"):
        arming.disarm()
    assert arming.armed


@pytest.mark.parametrize("content", [b"", b"[]", b'{"armed": 3}', b"\xff"])
def test_a_damaged_file_arms_and_is_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ARMED).write_bytes(content)
    assert Arming(tmp_path).armed
    assert "armed.json: cannot be read" in caplog.text
    assert "the device is armed" in caplog.text
