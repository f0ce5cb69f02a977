"""Frigate's topics, for what already reads them: blueprints, notifiers and bridges.

Format: docs.frigate.video, "MQTT" (version 0.16 and later). ``topics`` publishes; ``tracked_objects`` and
``reviews`` make the payloads; ``availability`` is the last will.
"""
