"""The daemon: composition of all parts, their supervision and their reports.

Start with ``agent``, the composition root: it builds the parts from the settings, runs them and stops them.
``reporter`` assembles messages from the state of the parts, ``alarms`` derives the alarms. ``device_watch``
samples the sensors in a thread, and ``rate_controller`` limits the frame rate by heat, power and battery.
"""
