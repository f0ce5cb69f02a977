"""Availability through a real mosquitto: online, stopped, and offline by the broker."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.settings.sections.frigate import FrigateSettings
from edgeagent.telemetry.frigate.availability import FrigateAvailability
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import settings


def test_it_is_online_and_stopped_and_offline_when_it_vanishes(tmp_path: Path) -> None:
    arrived: list[bytes] = []
    changed = threading.Condition()

    def collect(client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        with changed:
            arrived.append(bytes(message.payload))
            changed.notify_all()

    def wait_for(payload: bytes) -> None:
        with changed:
            assert changed.wait_for(lambda: arrived[-1:] == [payload], PATIENCE), arrived

    with Mosquitto(tmp_path) as broker:
        reader = paho.Client(CallbackAPIVersion.VERSION2)
        reader.on_connect = lambda client, *_: client.subscribe("frigate/available", qos=1)
        reader.on_message = collect
        reader.connect("127.0.0.1", broker.port)
        reader.loop_start()
        for again in (False, True):
            available = FrigateAvailability(FrigateSettings(), settings(broker.port), "board")
            available.start()
            wait_for(b"online")
            if again:
                connection = available._client.socket()
                assert isinstance(connection, socket.socket)
                connection.shutdown(socket.SHUT_RDWR)  # as a device without power: no DISCONNECT
                with changed:
                    assert changed.wait_for(lambda: b"offline" in arrived, PATIENCE), arrived
                wait_for(b"online")  # it connects again
            available.stop(PATIENCE)
            wait_for(b"stopped")
        reader.disconnect()
        reader.loop_stop()
