"""Sparkplug B 3.0 adapter: the device as an edge node on the same broker.

``node`` is the edge node with its own connection, birth and death certificates; ``readings`` maps the message
contract to metrics; ``payload`` encodes and decodes the protobuf wire format.
"""
