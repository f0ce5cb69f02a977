"""Every key of the schema is live or needs a new start, and never both."""

from __future__ import annotations

import pytest

from edgeagent.settings.keys import key_paths
from edgeagent.settings.live.table import (
    LIVE,
    NEW_START,
    REMOTE,
    STREAM_GOES_ON,
    STREAM_RESTARTS,
    entries,
    may_be_remote,
    needs_new_start,
)
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings

PATHS = tuple(key_paths(Settings))
LEAVES = tuple(path for path in PATHS if not any(other.startswith(f"{path}.") for other in PATHS))


@pytest.mark.parametrize("path", LEAVES)
def test_every_key_has_one_class(path: str) -> None:
    found = [*entries(LIVE, path), *entries(NEW_START, path)]
    assert len(found) == 1, f"{path}: expected one entry of the table, found {found}"


@pytest.mark.parametrize("entry", [*LIVE, *NEW_START, *REMOTE])
def test_every_entry_is_a_key(entry: str) -> None:
    assert entry in PATHS


def test_every_key_of_a_camera_says_whether_its_stream_goes_on() -> None:
    assert not STREAM_RESTARTS & STREAM_GOES_ON
    assert STREAM_RESTARTS | STREAM_GOES_ON | {"name"} == set(CameraSettings.model_fields)


def test_remote_keys_are_live_and_hold_no_source_mask_or_folder() -> None:
    assert all(entries(LIVE, entry) for entry in REMOTE)
    for key in ("cameras.yard.source", "cameras.yard.masks", "cameras.yard", "cameras", "snapshots.folder"):
        assert not may_be_remote(key), key
    for key in ("mqtt.host", "delivery.agent", "device", "no.such.key"):
        assert not may_be_remote(key), key
        assert needs_new_start(key), key
    assert may_be_remote("cameras.yard.zones")
    assert may_be_remote("model.score_threshold")
