"""Launcher of the installed service: which version of the agent a start runs.

``start`` is what systemd runs: it reads ``record``, verifies the environment of a version
(``environment``), decides (``decision``) and replaces itself by that version (``launched`` tells it which it
is). It belongs to the Debian package, uses the standard library only, and is never updated by delivery:
``formats`` numbers what other versions must still be able to read.
"""
