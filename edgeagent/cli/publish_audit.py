"""``edgeagent publish audit`` and ``audit verify``: who changed what in the repository."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from edgeagent.bench.table import ABSENT, TextTable
from edgeagent.bench.terminal import show_tables
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.publish_options import Actions, add_folder
from edgeagent.publisher.audit import AuditedOperation, read_pending
from edgeagent.publisher.audit_chain import AuditLog, read_logs
from edgeagent.publisher.audit_check import check_audit
from edgeagent.publisher.errors import PublishError

AUDIT = """\
Show the audit log of the repository: when, who, what, and the keys that signed. Every operation that signs a
channel or the list of channels adds an entry, which signed metadata hold; an operation with the online keys
alone (refresh) is not signed before the next entry. `who` is what the publisher said, nobody verifies it.

examples:
  edgeagent publish audit
  edgeagent publish audit --json > kept/audit-2026-05.json     keep it where the publisher cannot write
  edgeagent publish audit verify --since kept/audit-2026-05.json"""

VERIFY = """\
Verify the audit log: the hash of every entry, the metadata of the repository since its beginning, each of
which holds the newest entry of its time, and what somebody kept elsewhere. What was changed, cut off, left
out or moved is named. Exit code 7: something was.

examples:
  edgeagent publish audit verify
  edgeagent publish audit verify --since kept/audit-2026-05.json --since SHA256-OF-AN-ENTRY"""


def add_parsers(actions: Actions) -> None:
    """Add the action and its branch."""
    parser = actions.add_parser(
        "audit",
        help="show who changed what",
        description=AUDIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_folder(parser)
    add_json_options(parser)
    parser.set_defaults(run=run_audit)
    verifier = argparse.ArgumentParser(
        prog=f"{parser.prog} verify",
        description=VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verifier.add_argument(
        "--since",
        action="append",
        default=[],
        metavar="FILE|SHA256",
        help="document of `publish audit --json` that was kept, or hash of an entry; may be repeated",
    )
    add_folder(verifier)
    add_json_options(verifier)
    verifier.set_defaults(run=run_audit_verify)
    parser.add_branch("verify", "verify the log; see its --help", verifier)


def run_audit(arguments: argparse.Namespace) -> int:
    """Show the logs."""
    logs, pending = read_logs(arguments.repository), read_pending(arguments.repository)
    if arguments.json:
        give_result(arguments, _document(logs, pending))
    else:
        columns = ("time", "who", "action", "object", "log", "keys")
        show_tables([TextTable("audit log", columns, _rows(logs, pending))], _notes(logs))
    return 0


def run_audit_verify(arguments: argparse.Namespace) -> int:
    """Verify the logs."""
    logs, problems = check_audit(arguments.repository, arguments.since)
    if problems:
        raise PublishError("\n".join(problems))
    for log in logs:
        print(f"{log.role}: {len(log.entries)} entries, the newest {log.entries[-1].sha256}")
    print("every entry is what was signed" if logs else "there is no log yet: the next change begins it")
    give_result(
        arguments, {log.role: {"entries": len(log.entries), "newest": log.entries[-1].sha256} for log in logs}
    )
    return 0


def _document(logs: list[AuditLog], pending: tuple[AuditedOperation, ...]) -> dict[str, Any]:
    return {
        "logs": {
            log.role: [
                {**one.entry.model_dump(mode="json", exclude_none=True), "sha256": one.sha256}
                for one in log.entries
            ]
            for log in logs
        },
        "unsigned": [one.model_dump(mode="json", exclude_none=True) for one in pending],
    }


def _rows(logs: list[AuditLog], pending: tuple[AuditedOperation, ...]) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[datetime, tuple[str, ...]]] = []
    for log in logs:
        for one in log.entries:
            entry = one.entry
            keys = ", ".join(key[:12] for key in entry.keys) or ABSENT
            rows.append((entry.time, (*_cells(entry), f"{log.role} {entry.sequence}", keys)))
            rows += [
                (other.time, (*_cells(other), f"{log.role} {entry.sequence}", ABSENT))
                for other in entry.unsigned
            ]
    rows += [(other.time, (*_cells(other), "not signed yet", ABSENT)) for other in pending]
    return tuple(cells for _, cells in sorted(rows, key=lambda row: row[0]))


def _cells(operation: AuditedOperation) -> tuple[str, ...]:
    times = f" ({operation.times} times since {operation.first:%Y-%m-%d})" if operation.first else ""
    return f"{operation.time:%Y-%m-%d %H:%M:%S}", operation.who, operation.action, operation.object + times


def _notes(logs: list[AuditLog]) -> list[str]:
    problems = [problem for log in logs for problem in log.problems]
    return [*problems, "times are UTC; `edgeagent publish audit verify` verifies the log"]
