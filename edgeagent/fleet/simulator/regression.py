"""Planted regression: a version of the model that is worse than the one before, in a known way."""

from __future__ import annotations

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.simulator.boards import SimulatedModel

NAMES = ("latency", "p99", "energy", "accuracy")


def regressed(version: str, text: str) -> SimulatedModel:
    """Return the model of a version that differs as a text such as ``p99=1.5,accuracy=-0.03`` says.

    Raises:
        ConfigurationError: an unknown name, or no number.
    """
    given: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in NAMES:
            raise ConfigurationError(f"--regression: {name!r} is none of {', '.join(NAMES)}")
        try:
            given[name] = float(value)
        except ValueError:
            raise ConfigurationError(
                f"--regression: {part!r}: expected a number such as {name}=1.5"
            ) from None
    before = SimulatedModel()
    return SimulatedModel(
        version=version,
        map50_95=before.map50_95 + given.get("accuracy", 0.0),
        latency=given.get("latency", 1.0),
        tail=given.get("p99", 1.0),
        energy=given.get("energy", 1.0),
    )
