"""Changes of the configuration while the agent runs.

``table`` says which keys change live and which need a new start; ``comparison`` finds what differs between
two settings. ``changes`` are single live changes and their file in the state folder; ``layers`` puts them on
top of the file of the board and its signed configuration. ``result`` is what came of a change.
"""
