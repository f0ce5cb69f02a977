"""Actions: what is done when something happens in front of a camera.

Start with ``receiver``, which turns what scenes report into ``action_event`` and passes each to the actions
of the rules that ``matching`` finds: a message (``message``), a call of a web server (``webhook``, signed by
``signature``), or a program (``command``).
"""
