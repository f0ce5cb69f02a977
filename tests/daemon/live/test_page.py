"""Zones that are saved on the live page of a real daemon, and cameras that it shows after a reload."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from edgeagent.daemon.live.control_client import ask_agent
from edgeagent.settings.live.changes import LIVE_FILE
from tests.camera.media import write_pictures
from tests.daemon.running import running
from tests.included import QUICK_NAME
from tests.web.page import Client, free_port

GATE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
CROSSED = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def save(page: Client, camera: str, *zones: dict[str, Any]) -> tuple[int, str]:
    """Save zones as the editor of the page does."""
    view = page.ask(f"/zones/{camera}").text
    assert 'id="zone-save"' in view or "id=zone-save" in view
    (csrf,) = re.findall(r'name="csrf" content="([^"]+)"', view)
    headers = {"Content-Type": "application/json", "X-CSRF-Token": csrf, "Origin": page.origin}
    answer = page.ask(f"/zones/{camera}", "POST", json.dumps({"zones": zones}), headers)
    return answer.status, answer.text


def test_zones_are_saved_while_detection_goes_on_and_new_cameras_are_shown(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 3)
    camera = {"name": "yard", "source": str(tmp_path / "pictures"), "fps": 4.0, "loop": True}
    settings: dict[str, Any] = {
        "device": "board",
        "state": str(tmp_path / "state"),
        "cameras": [camera],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "web": {"listen": f"127.0.0.1:{free_port()}"},
    }
    page = Client(int(settings["web"]["listen"].rpartition(":")[2]))
    with running(tmp_path, settings) as daemon:
        daemon.wait_until_detecting()
        assert save(page, "yard", {"name": "gate", "polygon": GATE}) == (200, '{"saved":true}')
        assert "&quot;gate&quot;" in page.ask("/zones/yard").text
        status, text = save(page, "yard", {"name": "gate", "polygon": CROSSED})
        assert status == 422
        assert "cross" in text
        (kept,) = yaml.safe_load((tmp_path / "state" / LIVE_FILE).read_text())["changes"]
        assert (kept["key"], kept["value"][0]["polygon"]) == ("cameras.yard.zones", GATE)
        assert kept["by"].startswith("live page: ")

        settings["cameras"].append({**camera, "name": "shed"})
        (tmp_path / "edgeagent.yaml").write_text(yaml.safe_dump(settings))
        assert page.ask("/zones/shed").status == 404
        ask_agent(tmp_path / "state", {"request": "reload"})
        assert page.ask("/zones/shed").status == 200
        with page.stream("/live/shed.mjpeg") as pictures:
            assert b"image/jpeg" in pictures.read(200)
        assert daemon.stop() == 0, daemon.log()
