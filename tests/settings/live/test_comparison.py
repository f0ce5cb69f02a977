"""Comparison of two settings: what changes, and what waits for a new start."""

from __future__ import annotations

from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.live.comparison import SettingsChange, compare
from edgeagent.settings.schema import Settings

YARD = {"name": "yard", "source": "0"}
ZONE = {"name": "gate", "polygon": ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))}


def settings(*cameras: dict[str, Any], **sections: Any) -> Settings:
    return Settings.model_validate({"device": "board", "cameras": cameras or (YARD,), **sections})


def change(after: Settings, before: Settings | None = None) -> SettingsChange:
    return compare(before or settings(), after)


def test_equal_settings_have_no_change() -> None:
    assert change(settings()) == SettingsChange(settings(), settings(), ())


def test_a_camera_that_comes_or_goes_is_one_key() -> None:
    dock = {"name": "dock", "source": "1"}
    found = change(settings(YARD, dock))
    assert (found.keys, found.gone) == (("cameras.dock",), frozenset())
    assert found.back.gone == {"dock"}
    assert found.touches("cameras")
    assert not found.touches("cameras.yard", "model")


@pytest.mark.parametrize(("key", "value"), [("source", "1"), ("fps", 5.0), ("read_timeout", 2.0)])
def test_a_changed_stream_is_opened_anew(key: str, value: object) -> None:
    found = change(settings({**YARD, key: value}))
    assert found.keys == (f"cameras.yard.{key}",)
    assert found.reopened == {"yard"}


@pytest.mark.parametrize(("key", "value"), [("zones", (ZONE,)), ("weight", 2.0), ("masks", ())])
def test_a_changed_scene_keeps_the_stream(key: str, value: object) -> None:
    assert change(settings({**YARD, key: value})).reopened == frozenset()


def test_what_needs_a_new_start_stays_as_it_is() -> None:
    found = change(
        settings(model={"engine": "onnxruntime-cpu", "score_threshold": 0.7}, mqtt={"host": "broker"})
    )
    assert found.keys == ("model.score_threshold",)
    assert list(found.waiting) == ["model.engine", "mqtt.host"]
    assert found.after.model.score_threshold == 0.7
    assert found.after.model.engine == "auto"
    assert found.after.mqtt.host is None


def test_sections_that_begin_or_end() -> None:
    found = change(settings(snapshots={"boxes": False}, prometheus={}))
    assert (found.keys, list(found.waiting)) == (("snapshots",), ["prometheus"])
    assert found.after.prometheus is None


def test_another_tracker_is_live_and_none_is_not() -> None:
    assert change(settings(tracking={"tracker": "ocsort"})).keys == ("tracking.tracker",)
    for before, after in ((settings(), settings(tracking={"tracker": "off"})), (settings(), settings())):
        if before != after:
            assert list(change(after, before).waiting) == ["tracking.tracker"]
            assert list(change(before, after).waiting) == ["tracking.tracker"]


def test_keys_that_are_valid_only_with_a_new_start_are_refused() -> None:
    frigate = {"mqtt": {"host": "broker"}, "frigate": {}}
    zone = {**ZONE, "name": "yard"}
    with pytest.raises(ConfigurationError, match=r"without frigate.*is the name of a camera and a zone"):
        change(settings({**YARD, "zones": (zone,)}, mqtt={"host": "broker"}), settings(**frigate))
