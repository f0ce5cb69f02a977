"""The live page of a real agent: pictures and messages, and an agent that goes on without its page."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.live_page import build_live_page
from edgeagent.errors import ConfigurationError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.web import WebSettings
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, running
from tests.web.page import Client, free_port, read_record

CLIP = Path(__file__).parents[2] / "edgeagent" / "data" / "campus.mp4"


def settings_of(folder: Path, port: int, **more: Any) -> dict[str, Any]:
    return {
        "device": "gate-pi",
        "state": str(folder / "state"),
        "cameras": [{"name": "yard", "source": str(CLIP), "loop": True}],
        "model": {"bundle": "coco-nano", "engine": "onnxruntime-cpu"},
        "telemetry": {"interval": "1s"},
        "snapshots": {},
        "web": {"listen": f"127.0.0.1:{port}"},
        **more,
    }


def test_the_page_shows_what_the_agent_publishes(tmp_path: Path) -> None:
    client = Client(free_port())
    with running(tmp_path, settings_of(tmp_path, client.port)) as daemon:
        daemon.wait_until_detecting()
        with client.stream("/stream?camera=yard") as stream:
            about, jpeg = read_record(stream)
            while not about["objects"]:
                about, jpeg = read_record(stream)
        assert jpeg.startswith(b"\xff\xd8")
        assert {"box", "label", "score", "track"} == set(about["objects"][0])
        end = time.monotonic() + PATIENCE
        found = None
        while found is None and time.monotonic() < end:
            time.sleep(0.2)
            found = re.search(r'src="(/snapshots/[^"]+)"', client.ask("/events").text)
        assert found
        while (picture := client.ask(found[1])).status != 200 and time.monotonic() < end:
            time.sleep(0.2)
        assert picture.body.startswith(b"\xff\xd8")
        status = client.ask("/status").text
        assert "coco-nano" in status
        assert "No alarms" in status
        assert daemon.stop() == 0, daemon.log()


def test_detection_goes_on_without_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Mosquitto(tmp_path) as broker:
        mqtt = {"host": "127.0.0.1", "port": broker.port}
        settings = settings_of(tmp_path, taken.getsockname()[1], mqtt=mqtt)
        with Consumer(broker.port, "gate-pi") as consumer, running(tmp_path, settings) as daemon:
            daemon.wait_until_detecting()
            assert "detection goes on" in daemon.log()
            consumer.wait_for(
                "alarm", lambda m: [one["code"] for one in m["problems"]] == ["page_unreachable"]
            )
            taken.close()
            consumer.wait_for("alarm", lambda m: m.get("serving") and not m["problems"])
            assert daemon.stop() == 0, daemon.log()


def test_without_the_section_nothing_is_imported() -> None:
    camera = CameraSettings(name="yard", source="0")
    assert build_live_page(Settings(cameras=(camera,))) is None


def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    camera = CameraSettings(name="yard", source="0")
    web = WebSettings(token_file=tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match="the token of the live page"):
        build_live_page(Settings(cameras=(camera,), web=web))


def test_beyond_this_machine_people_sign_in() -> None:
    with pytest.raises(ValueError, match="reached from other machines"):
        WebSettings(listen="0.0.0.0:8477")
    with pytest.raises(ValueError, match="belong together"):
        WebSettings(user="ann")
    assert WebSettings(listen="0.0.0.0:8477", token_file=Path("token")).protected
