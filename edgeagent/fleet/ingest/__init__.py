"""Ingest of the fleet: messages of devices from the broker into the store, at least once in, once counted.

``arrival`` says whose message it is, ``fields`` and ``message_rows`` read it leniently, ``batch`` collects
rows, ``worker`` receives and acknowledges, ``supervisor`` runs the processes.
"""
