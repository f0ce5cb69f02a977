"""config/broker: with the sample files, a device may do what it must, and nothing to others."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.settings.sections.mqtt import TlsSettings
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.telemetry.contract.streams import STREAMS
from edgeagent.telemetry.home_assistant.discovery import discovery_topic
from edgeagent.telemetry.mqtt.interface import Arrival
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.certificates import Certificates, make_certificates
from tests.telemetry.publishing import settings

SAMPLES = Path(__file__).parents[3] / "config" / "broker"
USERS = ("gate", "yard", "dashboard", "operator", "homeassistant", "scada")
SENT = [stream for stream in STREAMS if stream.direction == "send"]
STATE = "spBv1.0/STATE/scada"
NODE = ("NBIRTH", "NDATA", "NDEATH")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


@pytest.fixture
def broker(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    passwords = tmp_path / "passwords"
    passwords.touch()
    for user in USERS:
        made = ["mosquitto_passwd", "-b", str(passwords), user, f"password of {user}"]
        subprocess.run(made, check=True, capture_output=True)
    places = {
        "/etc/mosquitto/certs/ca.pem": certificates.ca,
        "/etc/mosquitto/certs/broker.pem": certificates.broker,
        "/etc/mosquitto/certs/broker.key": certificates.broker_key,
        "/etc/mosquitto/passwords": passwords,
        "/etc/mosquitto/acl": SAMPLES / "acl",
        "/var/lib/mosquitto": tmp_path,
    }
    text = (SAMPLES / "mosquitto.conf").read_text(encoding="utf-8")
    for place, here in places.items():
        assert place in text
        text = text.replace(place, str(here))
    lines = [line for line in text.splitlines() if not line.startswith("listener")]  # the fixture has its own
    with Mosquitto(tmp_path, lines) as broker:
        yield broker


class User:
    """Somebody with a password, who hears what the rules let them hear."""

    def __init__(self, broker: Mosquitto, certificates: Certificates, name: str) -> None:
        self.heard: list[str] = []
        self.changed = threading.Condition()
        subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self.client.username_pw_set(name, f"password of {name}")
        self.client.tls_set(str(certificates.ca))
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._collect
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert subscribed.wait(PATIENCE)

    def __enter__(self) -> User:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, *topics: str) -> None:
        """Publish to topics, and wait for the broker's answers, whatever they are."""
        for topic in topics:
            self.client.publish(topic, b"{}", qos=1).wait_for_publish(PATIENCE)

    def wait_for(self, topic: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: topic in self.heard, PATIENCE), self.heard

    def _collect(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self.changed:
            self.heard.append(message.topic)
            self.changed.notify_all()


def topics_of(device: str) -> list[str]:
    """All that a device may publish to."""
    own = [f"{ROOT}/{device}/{stream.topic.replace('<', '').replace('>', '')}" for stream in SENT]
    beside = [f"spBv1.0/edgeagent/{kind}/{device}" for kind in NODE]
    return [*own, discovery_topic("homeassistant", device), *beside]


def test_a_device_neither_reads_nor_writes_what_is_anothers(
    broker: Mosquitto, certificates: Certificates
) -> None:
    with (
        User(broker, certificates, "dashboard") as dashboard,
        User(broker, certificates, "homeassistant") as home,
        User(broker, certificates, "scada") as scada,
        User(broker, certificates, "operator") as operator,
        User(broker, certificates, "gate") as gate,
        User(broker, certificates, "yard") as yard,
    ):
        yard.say(*topics_of("gate"), f"{ROOT}/gate/cmd", "spBv1.0/edgeagent/NCMD/gate")
        yard.say("homeassistant/status", "elsewhere", "$CONTROL/dynamic-security/v1")
        yard.say(*topics_of("yard"))
        dashboard.say(f"{ROOT}/gate/cmd", f"{ROOT}/gate/telemetry")
        operator.say(f"{ROOT}/gate/cmd", f"{ROOT}/yard/cmd", f"{ROOT}/gate/telemetry")
        home.say("homeassistant/status")
        scada.say("spBv1.0/edgeagent/NCMD/gate", "spBv1.0/edgeagent/NCMD/yard", STATE)
        for device, name in ((gate, "gate"), (yard, "yard")):
            device.wait_for(f"{ROOT}/{name}/cmd")
            device.wait_for(STATE)
            assert device.heard == [
                f"{ROOT}/{name}/cmd",
                "homeassistant/status",
                f"spBv1.0/edgeagent/NCMD/{name}",
                STATE,
            ]
        for user, prefixes in (
            (dashboard, (ROOT,)),
            (home, (ROOT, "homeassistant/")),
            (scada, ("spBv1.0",)),
        ):
            for topic in topics_of("yard"):
                if topic.startswith(prefixes):
                    user.wait_for(topic)  # came after what was published for "gate"
            allowed = (f"{ROOT}/gate/cmd", "spBv1.0/edgeagent/NCMD/gate")
            assert [topic for topic in user.heard if "gate" in topic and topic not in allowed] == []
            assert "elsewhere" not in user.heard
        dashboard.wait_for(f"{ROOT}/gate/cmd")
        assert dashboard.heard.count(f"{ROOT}/gate/cmd") == 1  # the operator's, not its own


def test_the_agent_is_let_do_what_it_must(
    broker: Mosquitto, certificates: Certificates, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password of yard", encoding="utf-8")
    secret.chmod(0o600)
    chosen = settings(broker.port, username="yard", password_file=secret, tls=TlsSettings(ca=certificates.ca))
    commanded = threading.Event()

    def receive(arrival: Arrival) -> None:
        commanded.set()

    with User(broker, certificates, "dashboard") as dashboard:
        publisher = MqttPublisher(chosen, "yard")
        publisher.subscribe("cmd", receive)
        publisher.start()
        try:
            assert publisher.wait_for("connected", PATIENCE), publisher.last_error
            publisher.publish("telemetry", b"{}", qos=1)
            dashboard.wait_for(f"{ROOT}/yard/telemetry")
            dashboard.wait_for(f"{ROOT}/yard/status")
            with User(broker, certificates, "operator") as operator:
                operator.say(f"{ROOT}/yard/cmd")
                assert commanded.wait(PATIENCE)
            assert not publisher.dropped
        finally:
            publisher.stop()
