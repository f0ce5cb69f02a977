"""Formats that versions of the agent share on one board. The publisher reads these numbers from a wheel.

A version that is on trial may be left for an older one at any moment, so what it has written must be readable
by that. A change that older versions can read (a new field, a new file) needs no new number.
"""

RECORD_FORMAT = 1
"""Of ``agent/record.json`` and of an environment, which the installed launcher reads."""

STATE_FORMAT = 1
"""Of all files in the state folder, as this version writes them."""

MINIMUM_STATE_FORMAT = 1
"""Oldest state format whose versions can read the files of this one; an older agent does not take it."""
