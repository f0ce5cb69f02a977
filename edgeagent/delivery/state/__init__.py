"""Durable delivery state: immutable model slots and the deployment record.

Start with ``record``: the good, pending and rejected models of the device. ``record_file`` stores it,
``slots`` stores the model files, and ``store`` changes both in an order that survives a power failure.
``known_good_models`` keeps the models that passed probation. ``device_status`` reads all of it for display,
without the agent.
"""
