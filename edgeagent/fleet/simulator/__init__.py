"""Simulated fleet: devices that are not there, with the messages that they would send, over a real broker.

``boards`` has what distinguishes devices, ``device`` builds messages of the contract with the types of the
device, ``faults`` spoils some on purpose, ``connections`` publishes for many devices over few connections,
``fleet`` runs.
"""
