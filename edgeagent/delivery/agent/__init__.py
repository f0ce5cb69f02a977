"""Delivery of the agent itself: its own wheels as a signed target, installed beside the running version.

::

    index -> choice -> archive (TUF) -> wheel_set, installation -> self_check -> trial durably -> restart
    launcher starts it (edgeagent.launcher) -> probation -> good | rolled back

``agent_updater`` is the thread that does this; ``report`` describes it. States: docs/delivery-device.md.
"""
