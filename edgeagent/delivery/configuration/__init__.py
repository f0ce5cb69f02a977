"""Signed configuration on a device: choice, storage, trial and return to the one before.

Start with ``record``: the good, pending and bad configurations of the device, and their states. ``store``
keeps the record and the files in an order that survives a power cut, ``choice`` selects one under the signed
rollout policy, ``serving`` decides at a start of the agent which one serves, and ``applying`` merges it into
the file of the board. ``updater`` is the thread of ``deployment_steps``, which
fetch and check one, begin its trial and judge it by ``probation``. ``wishes`` is the table of the operator's
commands, ``report`` builds what is published.
"""
