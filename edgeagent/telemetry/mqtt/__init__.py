"""MQTT transport: connection, outbox and spool.

Start with ``interface``, what other parts see of the broker, and ``publisher``, the connection with last will
and retained messages; ``client`` creates the underlying paho client. ``outbox`` tracks every QoS 1 message
until its acknowledgement; ``spool`` stores messages on disk during an outage, ``fault_tolerant_spool``
handles disk errors, and ``replay`` reads stored messages again. ``command_topic`` receives commands and
feedback, ``client_id_conflict`` backs off when another client uses the same ID, ``certificates`` reports the
expiry of TLS certificates, ``broker_check`` tests a broker for the doctor.
"""
