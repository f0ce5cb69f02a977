"""mqttwarn with its own Frigate example reads the events, through a real mosquitto."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.frigate.walks import Told, walk

PYTHON, EXAMPLE = "EDGEAGENT_MQTTWARN_PYTHON", "EDGEAGENT_MQTTWARN_EXAMPLE"
CONFIGURATION = """
[defaults]
hostname = '127.0.0.1'
port = {port}
functions = '{example}'
launch = file, store-image
status_publish = True
status_topic = 'mqttwarn/$SYS'

[config:file]
append_newline = True
overwrite = False
targets = {{'log': ['{folder}/log']}}

[config:store-image]
module = file
append_newline = False
decode_utf8 = False
overwrite = True
targets = {{'yard-person': ['{folder}/picture.jpg']}}

[frigate/events]
filter = frigate_events_filter()
alldata = frigate_events()
targets = file:log
format = {{event.label}} entered {{event.entered_zones_str}} at {{event.camera}}
frigate_skip_rules = {{}}

[frigate/+/+/snapshot]
alldata = frigate_snapshot_decode_topic()
targets = store-image:{{camera_name}}-{{object_name}}
"""


def test_its_example_notifies_of_a_person_in_a_zone(tmp_path: Path) -> None:
    python, example = os.environ.get(PYTHON), os.environ.get(EXAMPLE)
    if python is None or example is None:
        pytest.skip(
            f"set {PYTHON} to a Python with mqttwarn, and {EXAMPLE} to its examples/frigate/frigate.py"
        )
    told = Told(tmp_path)
    told.watch(walk(0.5, 0.52, 30))  # appears in the zone
    told.end()
    with Mosquitto(tmp_path) as broker:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        config = tmp_path / "mqttwarn.ini"
        config.write_text(CONFIGURATION.format(port=broker.port, example=example, folder=tmp_path))
        with (tmp_path / "mqttwarn.log").open("wb") as log:
            mqttwarn = subprocess.Popen(
                [python, "-m", "mqttwarn", f"--config-file={config}"],
                env={**os.environ, "PYTHONPATH": ""},
                cwd=tmp_path,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: broker.log().count("Sending SUBACK") >= 2, mqttwarn, tmp_path)
            for topic, payload, _ in told.sent:
                client.publish(topic, payload, qos=1)
            client.publish("frigate/yard/person/snapshot", b"\xff\xd8", qos=1)
            wait_until((tmp_path / "log").exists, mqttwarn, tmp_path)
            wait_until((tmp_path / "picture.jpg").exists, mqttwarn, tmp_path)
        finally:
            mqttwarn.kill()
            mqttwarn.wait(PATIENCE)
            client.loop_stop()
    assert (tmp_path / "log").read_text().splitlines() == ["person entered gate at yard"]
    assert (tmp_path / "picture.jpg").read_bytes() == b"\xff\xd8"


def wait_until(reached: object, mqttwarn: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for a condition while mqttwarn runs."""
    assert callable(reached)
    deadline = time.monotonic() + 3 * PATIENCE
    while not reached():
        assert mqttwarn.poll() is None and time.monotonic() < deadline, (folder / "mqttwarn.log").read_text()
        time.sleep(0.1)
