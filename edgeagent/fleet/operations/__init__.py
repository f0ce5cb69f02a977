"""What people change in a fleet, from the page and through the API alike: each is audited before it is done.

``acknowledgement`` is of alarms, ``device_labels`` of labels. ``alarm_webhook`` tells a server which alarms
have begun and ended; ``announced_alarms`` are those that it knows of.
"""
