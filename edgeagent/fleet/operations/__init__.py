"""What people change in a fleet, from the page and through the API alike: each is audited before it is done.

``acknowledgement`` is of alarms, ``device_labels`` of labels.
"""
