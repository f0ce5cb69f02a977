"""MQTT transport: connection, outbox and spool.

Start with ``publisher``, the connection with last will and retained state. ``outbox`` tracks every QoS 1
message until its acknowledgement; ``spool`` stores messages on disk during an outage, and
``fault_tolerant_spool`` handles disk errors. ``command_topic`` receives commands and feedback,
``client_id_conflict`` backs off when another client uses the same ID, ``certificates`` reports the expiry of
TLS certificates, ``broker_check`` tests a broker for the doctor.
"""
