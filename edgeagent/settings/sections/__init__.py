"""Sections of the configuration, one module per section.

Each module defines the keys, types and defaults of one section and its validation: ``accuracy``,
``adaptive``, ``camera``, ``delivery``, ``home_assistant``, ``model``, ``mqtt``, ``otlp``, ``power``,
``prometheus``, ``sparkplug``, ``telemetry``.
"""
