"""Configuration: schema, values and the file.

``schema`` is the complete configuration with all defaults; ``sections`` has one module per section. ``types``
defines durations, sizes and the base of all sections. ``file`` reads a configuration file, ``examination``
reports its errors with their lines, ``own_configuration`` is what it holds. ``carried``, ``partial`` and
``merging`` are for signed configurations, ``keys`` for paths of keys. ``state`` is the state folder of the
agent. Every key is documented in config/edgeagent.yaml; ``first_configuration`` writes that file for a new
board with its camera and broker.
"""
