"""Somebody who obeys all commands and writes them down."""

from __future__ import annotations

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

    def cancel(self) -> str:
        return self._do("cancel")

    def status(self) -> str:
        return self._do("status")

    def forgive(self, name: str, version: str) -> str:
        return self._do(f"forgive {name} {version}")

    def _do(self, what: str) -> str:
        self.done.append(what)
        return what
