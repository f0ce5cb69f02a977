"""Delivery of models: signed, gated on the board, never half done.

::

    publisher -> TUF repository (static files) -> client -> slot -> gate -> trial -> good | rolled back
"""
