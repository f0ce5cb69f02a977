"""Changes of the settings while the agent runs.

``part`` is the protocol of parts that follow them, ``applying`` makes all of them follow between two frames
or none, ``following`` are those that follow by one function, ``agent_parts`` lists all in their order.
``live_source`` says where they come from, ``page_editor`` changes them for the page.
``live_changes`` is what the command line, MQTT and the web page use; ``control`` is the socket of the command
line in the state folder, ``control_client`` its other end.
"""
