"""Telemetry consumer: every device's frame rate and latency, with paho-mqtt only (docs/mqtt.md)."""

import json
import sys

import paho.mqtt.client as mqtt


def on_message(client, userdata, message):
    device = message.topic.split("/")[2]
    for name, camera in json.loads(message.payload)["cameras"].items():
        latency = camera["stages"]["end_to_end"].get("p50_ms", "-") if camera["stages"] else "-"
        print(f"{device} {name}: {camera['fps_processed']} frames/s, p50 {latency} ms", flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.on_connect = lambda client, *_: client.subscribe("edgeagent/v1/+/telemetry", qos=1)
client.on_message = on_message
client.connect(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", int((sys.argv[2:] or ["1883"])[0]))
client.loop_forever()
