"""Message contract, version 1: the types of all MQTT messages. Knows no transport and no delivery.

``messages`` holds device information, telemetry, detections, alarms, events and replies, ``objects`` the
object counts of telemetry; ``accuracy``, ``deployment``, ``presence``, ``commands`` and ``feedback`` hold
the messages of these topics. ``streams`` lists every topic with its QoS, retention and priority. ``schema``
generates JSON Schema and AsyncAPI from the types. The contract is documented in docs/mqtt.md.
"""
