"""From the broker to the page: real processes of ingest and page, a simulated fleet, and a killed store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.ingest.running import ROOT, end, fleet_broker, running_ingest, simulated, wait_for
from tests.long import LONG
from tests.web.page import Client, free_port

pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")
pytestmark = LONG
PASSWORD = "a password of some length"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edgeagent", "fleet", *map(str, arguments)]


def test_devices_come_on_the_page_and_back_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    state = ("--state", tmp_path / "state")
    add = command(
        "users", "add", "ann", "--role", "operator", "--password-file", tmp_path / "password", *state
    )
    subprocess.run(add, check=True, cwd=ROOT)
    issue = command("users", "token", "ann", "test", "--role", "operator", *state)
    token = subprocess.run(issue, check=True, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    page = Client(free_port())
    held = {"Authorization": f"Bearer {token}"}

    def ask(path: str) -> Any:
        try:
            answer = page.ask(f"/api/v1{path}", headers=held)
        except OSError:
            return None
        return json.loads(answer.text) if answer.status == 200 else None

    def count(path: str) -> int:
        found = ask(path)
        return -1 if found is None else int(found["count"])

    with fleet_broker(tmp_path) as broker, running_ingest(broker, tmp_path / "log") as ingest:
        bind = f"127.0.0.1:{page.port}"
        serve = subprocess.Popen(command("serve", "--store", ingest.folder, "--bind", bind, *state), cwd=ROOT)
        try:
            simulated(broker, 120, devices=12)
            wait_for(
                lambda: count("/devices?state=detecting") + count("/devices?state=degraded") >= 10, "devices"
            )
            wait_for(lambda: ask("/models"), "figures of models")
            device = ask("/devices?size=1")["devices"][0]["device"]
            assert ask(f"/devices/-/{device}/history?span=6h")["stages"]
            label = page.ask(
                f"/api/v1/devices/-/{device}/labels/site",
                "PUT",
                '{"value": "Oslo"}',
                {**held, "Content-Type": "application/json"},
            )
            assert label.status == 204
            end(ingest.one("store_process").pid)
            wait_for(
                lambda: count("/devices?label=site&value=Oslo") == 1, "the store after its process was killed"
            )
            simulated(broker, 24, devices=24, seed=2)
            wait_for(lambda: count("/devices") >= 24, "devices that came after the kill")
            assert page.ask("/", headers={**held, "Accept": "text/html"}).status == 200
            serve.send_signal(signal.SIGTERM)
            assert serve.wait(60) == 0
        finally:
            if serve.poll() is None:
                serve.kill()
                serve.wait()
