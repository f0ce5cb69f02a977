"""Delivery of models to the device: signed, tested on the board, rolled back on failure.

::

    publisher -> TUF repository (static files) -> client -> slot -> gate -> trial -> good | rolled back

Start with ``service``, which connects the parts; ``first_model`` chooses the model at the start.
``repository`` is the TUF client with its transport, ``state`` the slots and the deployment record on disk,
``trial`` the gate and probation on the board, ``update`` the thread that decides and executes deployments,
``hawkbit`` the control by an Eclipse hawkBit server, ``http`` the connection pools of both.
``deployment_report`` builds the messages, ``errors`` defines the errors by their handling.
"""
