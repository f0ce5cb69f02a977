"""Commands as events: which device was told what, by which request, and with what result."""

from __future__ import annotations

from edgeagent.delivery.update.answered_commands import HARMLESS
from edgeagent.telemetry.contract.commands import Command, CommandReply, Forgive, Pin, SetKeys
from edgeagent.telemetry.event_log import EventLog


def record_command(events: EventLog, command: Command, reply: CommandReply) -> None:
    """Record an event for a command that may change something; ``check_now`` and ``status`` have none.

    Args:
        events: receiver.
        command: that was executed, or refused.
        reply: to it.
    """
    if command.command in HARMLESS:
        return
    data: dict[str, str | bool] = {
        "command": command.command,
        "request_id": command.request_id,
        "ok": reply.ok,
    }
    what: str = command.command
    if isinstance(command, Pin | Forgive):
        data |= {"name": command.name, "version": command.version}
        what = f"{what} {command.name} {command.version}"
    if isinstance(command, SetKeys):
        what = f"{what} {', '.join(command.values)}"
    if command.by is not None:
        data["by"] = command.by
        what = f"{what}, by {command.by}"
    data["result" if reply.ok else "error"] = reply.text
    events.record("command", f"{what}: {reply.text}", **data)
