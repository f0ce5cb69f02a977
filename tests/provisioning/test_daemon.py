"""A provisioned board runs: the daemon reads what was applied, and reaches a broker with TLS and accounts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgeagent.cli import main
from edgeagent.files.resources import sample_clip
from edgeagent.provisioning.document import SUFFIX
from tests.broker import Mosquitto, free_port
from tests.daemon.running import Consumer, running
from tests.included import QUICK_NAME
from tests.provisioning.desk import SECRET, certificate, table, trusted_root

BASE = f"""\
model: {{bundle: {QUICK_NAME}, engine: onnxruntime-cpu, threads: 1}}
mqtt: {{retry_first: 1s, retry_longest: 1s}}
telemetry: {{interval: 500ms}}
delivery: {{check_every: 1h}}
"""


def test_from_a_table_to_telemetry(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    made = ["mosquitto_passwd", "-b", "-c", str(passwords), "gate-1", SECRET]
    subprocess.run(made, check=True, capture_output=True)
    certificate(tmp_path, "broker")
    trusted_root(tmp_path / "1.root.json")
    (tmp_path / "fleet.yaml").write_text(BASE, encoding="ascii")
    with Mosquitto(tmp_path) as broker:
        secure = free_port()
        broker.stop()
        options = (
            "per_listener_settings true",
            "allow_anonymous true",  # for the consumer
            f"listener {secure} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"certfile {tmp_path / 'broker.pem'}",
            f"keyfile {tmp_path / 'broker.key'}",
        )
        broker.configure(options)
        broker.start()
        rows = table(tmp_path, f"gate-1,{sample_clip()},{SECRET}", header="device,cameras,password")
        stick, etc = tmp_path / "stick", tmp_path / "etc"
        command = [
            "make",
            "--devices",
            str(rows),
            "--out",
            str(stick),
            "--base",
            str(tmp_path / "fleet.yaml"),
        ]
        command += [
            "--broker",
            f"127.0.0.1:{secure}",
            "--username",
            "{device}",
            "--ca",
            str(tmp_path / "broker.pem"),
        ]
        command += ["--repository", str(tmp_path / "no-repository"), "--root", str(tmp_path / "1.root.json")]
        assert main(["provision", *command]) == 0
        assert main(["provision", "apply", str(stick / f"gate-1{SUFFIX}"), "--to", str(etc)]) == 0
        with Consumer(broker.port, "gate-1") as consumer, running(etc, None) as daemon:
            consumer.wait_for_status(b"online")
            consumer.wait_for("telemetry", lambda m: m["cameras"]["camera"]["frames_processed"] > 0)
            assert daemon.stop() == 0
            assert SECRET not in daemon.log()
