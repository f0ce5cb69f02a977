"""Live changes: their keys, their file, and the layers below them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.files.strict_yaml import parse
from edgeagent.settings.examination import validate
from edgeagent.settings.live.changes import (
    LIVE_FILE,
    MOST_CHANGES,
    LiveChange,
    changed_data,
    new_changes,
    read_changes,
    with_changes,
    write_changes,
)
from edgeagent.settings.live.layers import LowerLayers, compose, compose_usable, key_sources
from edgeagent.settings.own_configuration import OwnConfiguration

FILE = b"""\
device: board
cameras:
  - name: yard
    source: 0
    weight: 2
model:
  score_threshold: 0.4
"""
ZONE = {"name": "gate", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}


def base(content: bytes = FILE, signed: dict[str, Any] | None = None) -> LowerLayers:
    document = parse(content)
    own = OwnConfiguration(Path("/etc/edgeagent"), document, validate(document, "file"))
    keys = tuple(signed or ())
    return LowerLayers(own, {**document.data, **(signed or {})}, keys)


def made(**values: Any) -> tuple[LiveChange, ...]:
    keys = {key.replace("__", "."): value for key, value in values.items()}
    return new_changes(keys, "test", "2026-11-29T12:00:00Z")


def test_values_of_keys_sections_and_cameras() -> None:
    changes = made(
        model__score_threshold=0.7,
        snapshots__boxes=False,
        events={"confirm_after": "2s"},
        cameras__yard__zones=[ZONE],
        cameras__dock={"source": "1"},
    )
    before = base()
    settings = compose(before, changes)
    assert settings.model.score_threshold == 0.7
    assert settings.snapshots is not None
    assert settings.events.confirm_after == 2.0
    assert [camera.name for camera in settings.cameras] == ["yard", "dock"]
    assert settings.cameras[0].zones[0].name == "gate"
    assert settings.cameras[0].weight == 2
    assert before.data == parse(FILE).data
    gone = compose(before, with_changes(changes, made(cameras__yard=None)))
    assert [camera.name for camera in gone.cameras] == ["dock"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("model.score_threshold", 2, "model.score_threshold: expected"),
        ("model.score_treshold", 0.5, "did you mean score_threshold"),
        ("model.score_threshold.more", 1, "score_threshold is a value"),
        ("cameras", [], "name the camera"),
        ("cameras.yard", None, "cameras: expected at least one"),
        ("cameras.dock", None, "no camera dock to remove"),
        ("cameras.dock", {}, r"cameras.dock.source: required, but missing"),
        ("cameras.dock", 3, "expected a section"),
        ("cameras.dock.zones", [], "there is no camera dock"),
        ("cameras.yard.name", "gate", "a name stays"),
        ("model..engine", 1, "this is no key"),
        ("", 1, "this is no key"),
    ],
)
def test_what_cannot_be_changed_is_refused(key: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        compose(base(), new_changes({key: value}, "test", "now"))


def test_a_change_replaces_those_of_its_key_and_below_it() -> None:
    first = made(model__score_threshold=0.7, cameras__yard__zones=[ZONE], cameras__yard__weight=3)
    found = with_changes(first, made(model__score_threshold=0.5, cameras__yard=None))
    assert {one.key: one.value for one in found} == {"model.score_threshold": 0.5, "cameras.yard": None}
    with pytest.raises(ConfigurationError, match="are the most"):
        with_changes((), new_changes({f"k{n}": 1 for n in range(MOST_CHANGES + 1)}, "a", "b"))
    with pytest.raises(ConfigurationError, match="no key is given"):
        made()


def test_the_file_keeps_values_as_they_are(tmp_path: Path) -> None:
    assert read_changes(tmp_path) == ()
    changes = made(
        telemetry__detections="off",
        cameras__yard__zones=[ZONE],
        cameras__dock=None,
        events__objects={"labels": ["yes", "1", "22:30", "ä: #"]},
    )
    write_changes(tmp_path, changes)
    assert read_changes(tmp_path) == changes
    assert (tmp_path / LIVE_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"changes: 3\n", b"changes:\n- key: a b\n", b"{", b"\xff", b"!x a"])
def test_a_damaged_file_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / LIVE_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"live\.yaml.*remove the file"):
        read_changes(tmp_path)


def test_changes_that_do_not_fit_any_more_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    changes = made(model__score_threshold=0.7, cameras__gone__weight=2, no_such_key=1)
    settings, kept = compose_usable(base(), changes)
    assert settings.model.score_threshold == 0.7
    assert [one.key for one in kept] == ["model.score_threshold"]
    assert "the live change of cameras.gone.weight is left out" in caplog.text


def test_where_each_key_comes_from() -> None:
    signed = base(signed={"objects": {"labels": ["person"]}, "model": {"score_threshold": 0.6}})
    found = {
        one.key: (one.layer, one.value, one.by) for one in key_sources(signed, made(cameras__yard__weight=3))
    }
    assert found == {
        "device": ("file", "board", None),
        "cameras.yard.source": ("file", 0, None),
        "cameras.yard.weight": ("live", 3, "test"),
        "model.score_threshold": ("signed", 0.6, None),
        "objects.labels": ("signed", ["person"], None),
    }


def test_data_stay_as_they_are() -> None:
    data = {"cameras": [{"name": "yard", "source": "0"}]}
    changed_data(data, made(cameras__yard__weight=3, cameras__dock={"source": "1"}))
    assert data == {"cameras": [{"name": "yard", "source": "0"}]}
