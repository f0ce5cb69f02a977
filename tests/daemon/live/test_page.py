"""Zones that are saved on the live page of a real daemon, and cameras that it shows after a reload."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from edgeagent.daemon.live.control_client import ask_agent
from edgeagent.settings.live.changes import LIVE_FILE
from tests.broker import Mosquitto
from tests.camera.media import write_pictures
from tests.camera.mjpeg_server import MjpegServer
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

        (csrf,) = re.findall(r'name="csrf" content="([^"]+)"', page.ask("/").text)
        for key, value, status in (
            ("model.score_threshold", 0.33, 200),
            ("events.objects.min_score", 0.66, 200),
            ("model.score_threshold", 7, 422),
            ("model.score_threshold", None, 422),
            ("device", "other", 400),
        ):
            body = json.dumps({key: value})
            assert page.ask("/thresholds", "POST", body, {"X-CSRF-Token": csrf}).status == status, key
        assert page.ask("/thresholds", "POST", body, {"X-CSRF-Token": "other"}).status == 403
        assert 'value="0.33"' in page.ask("/").text
        changes = yaml.safe_load((tmp_path / "state" / LIVE_FILE).read_text())["changes"]
        assert {one["key"]: one["value"] for one in changes}["events.objects.min_score"] == 0.66

        settings["cameras"].append({**camera, "name": "shed"})
        (tmp_path / "edgeagent.yaml").write_text(yaml.safe_dump(settings))
        assert page.ask("/zones/shed").status == 404
        ask_agent(tmp_path / "state", {"request": "reload"})
        assert page.ask("/zones/shed").status == 200
        with page.stream("/live/shed.mjpeg") as pictures:
            assert b"image/jpeg" in pictures.read(200)
        assert daemon.stop() == 0, daemon.log()


class Visit:
    """First configuration on the page of a daemon."""

    def __init__(self, page: Client) -> None:
        self._page = page
        (self._csrf,) = re.findall(r'name="csrf" content="([^"]+)"', page.ask("/start").text)

    def post(self, what: str, csrf: str | None = None, **asked: object) -> tuple[int, Any]:
        """Status and answer of a request; the text where it is refused."""
        headers = {"Content-Type": "application/json", "X-CSRF-Token": csrf or self._csrf}
        answer = self._page.ask(f"/start/{what}", "POST", json.dumps(asked), headers)
        return answer.status, json.loads(answer.text) if answer.status == 200 else answer.text


FILE = """\
device: board          # at the gate
state: state
cameras:
  - name: yard         # the first one
    source: {pictures}
    fps: 4.0
    loop: true
model: {{bundle: {bundle}, engine: onnxruntime-cpu, threads: 1}}
web: {{listen: "127.0.0.1:{port}"}}
"""


def test_a_first_visit_from_a_camera_to_the_file(tmp_path: Path, broker: Mosquitto) -> None:
    write_pictures(tmp_path / "pictures", 3)
    page = Client(free_port())
    file = tmp_path / "edgeagent.yaml"
    file.write_text(FILE.format(pictures=tmp_path / "pictures", bundle=QUICK_NAME, port=page.port))
    with MjpegServer() as server, running(tmp_path, None) as daemon:
        source = re.sub(r"user:hunter2@|\?.*", "", server.url)
        daemon.wait_until_detecting()
        visit = Visit(page)
        assert visit.post("find", csrf="wrong")[0] == 403
        assert visit.post("find", network=False)[0] == 200
        status, picture = visit.post("picture", source=source, user="anna", password="hunter2")
        assert status == 200, picture
        assert (picture["width"] > 0, picture["jpeg"][:4]) == (True, "/9j/")
        assert "only devices" in visit.post("picture", source="gstreamer:videotestsrc ! appsink")[1]
        assert "only devices" in visit.post("picture", source=str(file))[1]
        assert visit.post("broker", host="127.0.0.1", port=broker.port) == (200, {"accepted": True})
        status, text = visit.post("broker", host="127.0.0.1", port=free_port())
        assert (status, "cannot be reached" in text) == (422, True)

        assert visit.post("write", cameras=[{"name": "no/name", "source": source}])[0] == 422
        assert visit.post("write")[0] == 422
        assert visit.post("write", remove=["yard.zones"])[0] == 422
        before = file.read_text()
        wanted = {"name": "gate", "source": source, "user": "anna", "password": "hunter2"}
        mqtt = {"host": "127.0.0.1", "port": broker.port, "user": "anna", "password": "s3cret"}
        status, result = visit.post("write", cameras=[wanted], remove=["yard"], broker=mqtt)
        assert status == 200, result
        assert sorted(result["applied"]) == ["cameras.gate", "cameras.yard"]
        assert "mqtt.host" in result["waiting"]
        assert result["left"] is None
        assert "device: board          # at the gate" in file.read_text() != before
        written = yaml.safe_load(file.read_text())
        assert [one["name"] for one in written["cameras"]] == ["gate"]
        secret = Path(written["mqtt"]["password_file"])
        assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("s3cret\n", 0o600)
        assert "hunter2" not in page.ask("/start").text
        with page.stream("/live/gate.mjpeg") as pictures:
            assert b"image/jpeg" in pictures.read(200)
        assert "hunter2" not in daemon.log()
        assert "s3cret" not in daemon.log()
        assert daemon.stop() == 0, daemon.log()
