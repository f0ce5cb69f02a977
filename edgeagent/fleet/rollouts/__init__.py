"""Decisions about rollouts, by what the store knows of the devices.

``stored_fleet`` reads the devices of a model, with what they measured since a step of a rollout began, and
judges the condition that halts it. `edgeagent publish rollout watch --store` signs steps by it.
"""
