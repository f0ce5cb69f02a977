"""Somebody who obeys all commands and writes them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeagent.errors import DeliveryError


class Obedient:
    """Obeys, but refuses to roll back when ``nothing_before`` is set."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.nothing_before = False

    def check_now(self) -> str:
        return self._do("check_now")

    def pin(self, name: str, version: str) -> str:
        return self._do(f"pin {name} {version}")

    def unpin(self) -> str:
        return self._do("unpin")

    def rollback(self) -> str:
        if self.nothing_before:
            raise DeliveryError("there is no good model before this one")
        return self._do("rollback")

    def rollback_configuration(self) -> str:
        return self._do("rollback_configuration")

    def configuration_status(self) -> str:
        return "the file of the board serves alone"

    def cancel(self) -> str:
        return self._do("cancel")

    def status(self) -> str:
        return self._do("status")

    def forgive(self, name: str, version: str) -> str:
        return self._do(f"forgive {name} {version}")

    def agent_rollback(self) -> str:
        return self._do("agent_rollback")

    def agent_forgive(self, version: str) -> str:
        return self._do(f"agent_forgive {version}")

    def agent_status(self) -> str:
        return self._do("agent_status")

    def arm(self) -> str:
        return self._do("arm")

    def disarm(self) -> str:
        return self._do("disarm")

    def set_keys(self, values: Mapping[str, Any], by: str | None) -> str:
        return self._do("set")

    def undo_keys(self, keys: Sequence[str], by: str | None) -> str:
        return self._do("undo")

    def _do(self, what: str) -> str:
        self.done.append(what)
        return what
