"""The daemon with all adapters, and a real broker."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families

from edgeagent.bundle.reading import open_bundle
from edgeagent.files.resources import sample_clip
from edgeagent.settings.sections.objects import DEFAULT_LABELS
from tests.broker import Mosquitto, free_port
from tests.daemon.running import PATIENCE, Consumer, running
from tests.included import QUICK_BUNDLE, QUICK_NAME
from tests.telemetry.sparkplug.host import Host

CONFIG = "homeassistant/device/board/config"


def settings(port: int, **more: Any) -> dict[str, Any]:
    return {
        "device": "board",
        "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "telemetry": {"interval": "1s"},
        **more,
    }


def retained(port: int, topic: str) -> bytes:
    """What the broker keeps."""
    arrived, payloads = threading.Event(), []

    def collect(client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        payloads.append(bytes(message.payload))
        arrived.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
    client.on_message = collect
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert arrived.wait(PATIENCE)
    finally:
        client.disconnect()
        client.loop_stop()
    return payloads[0]


def test_the_daemon_is_found_measured_and_pictured(tmp_path: Path) -> None:
    port = free_port()
    with (
        Mosquitto(tmp_path) as broker,
        Consumer(broker.port, "board") as consumer,
        Host(broker.port) as host,
    ):
        wanted = settings(
            broker.port,
            sparkplug={},
            home_assistant={"pictures_every": "500ms"},
            prometheus={"listen": f"127.0.0.1:{port}"},
        )
        with running(tmp_path, wanted) as daemon:
            daemon.wait_until_detecting()
            consumer.wait_for("telemetry", lambda m: m["cameras"]["yard"]["fps_processed"] > 0)
            counted = consumer.wait_for("telemetry", lambda m: "objects" in m["cameras"]["yard"])
            presence = consumer.wait_for("presence", lambda m: "yard" in m["cameras"])
            appeared = consumer.wait_for("events/presence", lambda m: m["data"]["state"] == "appeared")
            consumer.wait_for("telemetry", lambda m: m["sequence"] >= 3)
            found = json.loads(retained(broker.port, CONFIG))
            url = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
            birth = host.wait_for("NBIRTH")
            assert host.wait_for("NDATA").seq == 1
            assert daemon.stop() == 0, daemon.log()
        host.wait_for("NDEATH")
    assert "Cameras/yard/fps_processed" in [metric.name for metric in birth.metrics]
    assert {"yard_fps_processed", "yard_picture", "problem_not_detecting", "cpu"} <= set(found["cmps"])
    assert "update" not in found["cmps"]  # there is no delivery
    label = appeared["data"]["label"]
    assert label in DEFAULT_LABELS
    for entity in ("objects", "presence", "appeared", "disappeared"):
        assert found["cmps"][f"yard_{entity}_{label}"]["p"]
    chosen = set(DEFAULT_LABELS) & set(open_bundle(QUICK_BUNDLE).manifest.labels)
    assert set(counted["cameras"]["yard"]["objects"]) == chosen
    assert set(presence["cameras"]["yard"]) <= chosen
    objects = {sample.labels["label"] for sample in families["edgeagent_objects"].samples}
    assert objects == chosen
    assert f"Cameras/yard/objects/{label}/current" in [metric.name for metric in birth.metrics]
    (processed,) = families["edgeagent_frames_processed"].samples
    assert processed.value > 0
    pictures = consumer.payloads("picture/yard")
    assert pictures
    assert all(picture[:3] == b"\xff\xd8\xff" for picture in pictures)


@pytest.mark.parametrize("section", ["home_assistant", "sparkplug"])
def test_an_adapter_of_mqtt_needs_a_broker(tmp_path: Path, section: str) -> None:
    wanted = settings(1883, **{section: {}}, mqtt={})
    with running(tmp_path, wanted) as daemon:
        assert daemon.wait() != 0
        assert f"{section} needs a broker" in daemon.log()
