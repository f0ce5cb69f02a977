"""Configuration: schema, values and the file.

``schema`` is the complete configuration with all defaults; ``sections`` has one module per section. ``types``
defines durations, sizes and the base of all sections. ``file`` parses and validates a configuration file and
reports errors with their lines. ``state`` is the state folder of the agent. Every key is documented in
config/edgeagent.yaml.
"""
