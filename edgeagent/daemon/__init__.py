"""The daemon: composition of all parts, their life cycle, and the messages of the device.

Start with ``agent``, the composition root: it builds the parts from the settings, starts them and stops them.
``part`` is their protocol; ``broker_parts`` builds what needs a broker. ``state_messages`` publishes alarms,
information and events, ``telemetry_messages`` and ``detection_messages`` the streams of the same names, and
``adapters`` passes all of them to other systems; ``reporter``, ``sensor_report``, ``info_message`` and
``alarms`` build the messages. ``device_watch`` samples the sensors in a thread, and ``rate_controller``
limits the frame rate by heat, power and battery. ``cameras`` starts and stops the cameras, ``systemd``
notifies the service manager, ``fault_watch`` turns faults of threads into an alarm. ``object_watch`` counts
objects (``label_counts``, ``object_counts``) and watches their presence (``debounce``); ``update_events``
reports the ends of deployments, ``agent_update`` those of updates of the agent itself, which it composes.
"""
