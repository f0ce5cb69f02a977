"""Home Assistant adapter: MQTT discovery of the device and its entities.

``discovery`` builds the discovery message from the contract, and ``object_entities`` the components of
counted objects; ``announcer`` keeps the retained message on the broker up to date and removes it when the
adapter is disabled.
"""
