"""Merge of a signed configuration into that of a board."""

from __future__ import annotations

from typing import Any

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.merging import merge

OWN: dict[str, Any] = {
    "device": "gate-7",
    "cameras": [{"name": "yard", "source": "rtsp://yard", "fps": 10.0}],
    "mqtt": {"host": "broker.site", "port": 1883},
    "telemetry": {"interval": "10s"},
}


def merged(signed: dict[str, Any], local: tuple[str, ...] = ("mqtt",)) -> dict[str, Any]:
    return merge(OWN, signed, local).data


def test_signed_keys_win_and_the_others_stay() -> None:
    found = merged({"telemetry": {"detections": "frames"}, "model": {"score_threshold": 0.6}})
    assert found == {
        **OWN,
        "telemetry": {"interval": "10s", "detections": "frames"},
        "model": {"score_threshold": 0.6},
    }
    assert merged({"telemetry": {"interval": "1s"}})["telemetry"] == {"interval": "1s"}


def test_local_keys_are_never_taken() -> None:
    found = merge(OWN, {"mqtt": {"host": "else", "keepalive": "9s"}, "objects": {"labels": None}}, ("mqtt",))
    assert found.data["mqtt"] == OWN["mqtt"]
    assert found.kept == ("mqtt",)
    found = merge(OWN, {"mqtt": {"host": "else", "port": 1884}}, ("mqtt.host",))
    assert found.data["mqtt"] == {"host": "broker.site", "port": 1884}
    assert found.kept == ("mqtt.host",)


def test_cameras_are_merged_by_their_names() -> None:
    dock = {"name": "dock", "source": "/dev/video1"}
    found = merged({"cameras": [{"name": "yard", "fps": 5.0}, dock]})
    assert found["cameras"] == [{"name": "yard", "source": "rtsp://yard", "fps": 5.0}, dock]
    assert OWN["cameras"] == [{"name": "yard", "source": "rtsp://yard", "fps": 10.0}]


@pytest.mark.parametrize("local", ["cameras.yard.source", "cameras.*.source"])
def test_a_key_of_a_camera_may_be_local(local: str) -> None:
    found = merge(OWN, {"cameras": [{"name": "yard", "source": "0", "fps": 5.0}]}, (local,))
    assert found.data["cameras"] == [{"name": "yard", "source": "rtsp://yard", "fps": 5.0}]
    assert found.kept == ("cameras.yard.source",)


@pytest.mark.parametrize("local", ["cameras", "cameras.yard"])
def test_a_whole_camera_may_be_local(local: str) -> None:
    assert merge(OWN, {"cameras": [{"name": "yard", "fps": 5.0}]}, (local,)).data == OWN


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"cameras\.dock: this board has no camera of that name"):
        merged({"cameras": [{"name": "dock", "fps": 5.0}]})
    with pytest.raises(ConfigurationError, match=r"cameras\.dock"):
        merged({"cameras": [{"name": "dock", "source": "0"}]}, ("cameras.*.source",))


def test_a_section_may_be_switched_on_and_off() -> None:
    assert merged({"home_assistant": {}})["home_assistant"] == {}
    assert merged({"telemetry": {"spool": None}})["telemetry"] == {"interval": "10s", "spool": None}
