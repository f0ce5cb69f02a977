"""Telemetry: one typed message contract, its transport over MQTT, and adapters to other systems.

Start with ``contract``, the types of all messages (docs/mqtt.md). ``mqtt`` is the connection to the broker
with the spool on disk. ``home_assistant``, ``prometheus``, ``otlp`` and ``sparkplug`` present the contract to
other systems (:mod:`edgeagent.daemon.adapters` starts them). ``event_log`` numbers the events of the device,
``run_number`` the starts of the agent; ``pictures`` publishes annotated frames.
"""
