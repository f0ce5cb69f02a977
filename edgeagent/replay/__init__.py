"""Replay: the objects, zones and lines of a clip, as the daemon sees them on a camera, but faster.

Start with ``session``, which runs one replay. ``overlay`` draws what it finds into the frames, and
``messages`` writes it as lines and as JSON in the form of the MQTT messages.
"""
