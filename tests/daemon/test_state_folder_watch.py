from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.daemon.state_folder_watch import FIRST_S, StateFolderWatch
from edgeagent.delivery.first_model import open_store
from edgeagent.errors import EdgeagentError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.delivery import DeliverySettings


def settings(folder: Path) -> Settings:
    return Settings(
        state=folder / "state",
        cameras=(CameraSettings(name="yard", source="0"),),
        delivery=DeliverySettings(repository=str(folder), root=folder / "root.json"),
    )


def test_a_folder_that_can_be_used_again_ends_the_agent(tmp_path: Path) -> None:
    now = [0.0]
    (tmp_path / "state").write_bytes(b"")  # in the place of the folder
    problem = open_store(settings(tmp_path)).problem
    assert problem is not None
    assert "no models are delivered until the next start" in problem
    watch = StateFolderWatch(settings(tmp_path), problem, lambda: now[0])
    now[0] += FIRST_S + 1
    assert not watch.usable()
    watch.raise_usable()
    (tmp_path / "state").unlink()
    assert not watch.usable()  # not due
    now[0] += 10 * FIRST_S
    assert watch.usable()
    with pytest.raises(EdgeagentError, match="the state folder can be used again"):
        watch.raise_usable()
    store = open_store(settings(tmp_path)).store  # and is not locked
    assert store is not None
    store.close()


def test_nothing_is_tried_where_there_was_no_problem(tmp_path: Path) -> None:
    now = [0.0]
    watch = StateFolderWatch(settings(tmp_path), None, lambda: now[0])
    now[0] = 1e9
    assert not watch.usable()
    assert not (tmp_path / "state").exists()
