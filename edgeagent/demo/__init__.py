"""Demonstration: the real daemon on a sample clip, with an embedded broker and a live table.

Start with ``session``, which runs one demo. ``broker`` is the embedded MQTT broker, ``listener`` a telemetry
consumer, ``clip_writer`` writes the annotated clip, ``live_table`` shows the table and builds the summary.
"""
