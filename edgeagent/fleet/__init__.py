"""The fleet: consumer of the telemetry of many devices.

``store`` keeps the messages in ClickHouse, embedded in a folder or on a server, and derives from them the
state of each device, latencies and losses by minute, hour and day.
"""
