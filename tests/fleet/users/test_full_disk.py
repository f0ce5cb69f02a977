"""A full disk below users and audit: what cannot be audited is not done, and reading goes on."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.small_disk import on_small_disk

SCRIPT = """
import sys
from pathlib import Path
from edgeagent.errors import ConfigurationError
from edgeagent.fleet.users.actor import Actor
from edgeagent.fleet.users.user_audit import UserAudit
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.fleet.users.user_store import UserStore

folder = Path(sys.argv[1])
file = UserFile(folder)
users, audit = UserStore(file), UserAudit(file)
users.add("ann", "a long password", "admin")
with (folder / "ballast").open("wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(b"x" * 4096)
    except OSError:
        pass
noted = 0
try:
    for number in range(100_000):
        audit.note(Actor("ann", "admin"), "acknowledge", f"drift of cam-{number}", detail="x" * 400)
        noted += 1
except ConfigurationError as error:
    assert "make room" in str(error), error
else:
    raise SystemExit("the disk was not full")
assert users.find("ann") is not None
assert len(audit.rows("*", 1_000_000)) == noted
(folder / "ballast").unlink()
audit.note(Actor("ann", "admin"), "acknowledge", "drift of cam-1")
assert len(audit.rows("*", 1_000_000)) == noted + 1
print("done")
"""


def test_what_cannot_be_audited_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    done = on_small_disk(tmp_path, "2m", [sys.executable, "-c", SCRIPT, str(tmp_path)])
    assert done.stdout == "done\n", done.stderr
