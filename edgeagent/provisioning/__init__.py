"""Provisioning: one file a board with its configuration, credentials and trusted root, made from a table.

::

    devices.csv, options -> make -> NAME.edgeagent -> stick or boot partition -> apply -> /etc/edgeagent

Start with ``document``, the format of the file. ``table``, ``board_configuration`` and ``making`` are the
desk; ``identity``, ``sources``, ``applying``, ``owned_files`` and ``record`` the board. ``checks`` is run on
both sides, and ``redaction`` shows a file without its secrets.
"""
