"""No password, token or user information of a URL in anything that the daemon says."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

from tests.broker import Mosquitto, free_port
from tests.daemon.running import PATIENCE, Consumer, running
from tests.daemon.test_adapters import CONFIG, retained, settings

BROKER, CAMERA, TOKEN = "brokersesame17", "camerasesame18", "querysesame19"


def test_no_secret_leaves_the_device(tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    made = ["mosquitto_passwd", "-b", "-c", str(passwords), "board", BROKER]
    subprocess.run(made, check=True, capture_output=True)
    secret.write_text(BROKER, encoding="utf-8")
    secret.chmod(0o600)
    port, closed = free_port(), free_port()
    with (
        Mosquitto(tmp_path, ("allow_anonymous true", f"password_file {passwords}")) as broker,
        Consumer(broker.port, "board") as consumer,
    ):
        wanted = settings(broker.port, home_assistant={}, prometheus={"listen": f"127.0.0.1:{port}"})
        wanted["mqtt"] |= {"username": "board", "password_file": str(secret)}
        wanted["cameras"] += [
            {"name": "gate", "source": f"rtsp://admin:{CAMERA}@127.0.0.1:{closed}/stream?token={TOKEN}"},
            {"name": "door", "source": f"http://admin:{CAMERA}@127.0.0.1:{closed}/video?password={TOKEN}"},
        ]
        with running(tmp_path, wanted) as daemon:
            daemon.wait_until_detecting()
            consumer.wait_for("telemetry", lambda m: "last_error" in m["cameras"]["gate"])
            consumer.wait_for("telemetry", lambda m: "last_error" in m["cameras"]["door"])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
                said = [answer.read(), retained(broker.port, CONFIG)]
            daemon.stop()
            log = daemon.log()
    said += [log.encode(), *(payload for _, payload in consumer.everything())]
    assert any(b"***@127.0.0.1" in text for text in said)  # the addresses are there, without what is secret
    for text in said:
        for word in (BROKER, CAMERA, TOKEN):
            assert word.encode() not in text, text
