"""What must be true of a board after a crash, whenever it came."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeagent.launcher.environment import damage, interpreter
from edgeagent.launcher.launched import Launched
from edgeagent.launcher.record import RECORD, VERSIONS, read_agent_record
from tests.delivery.agent.crash.board import REAL, BoardSite, boot, version_of
from tests.delivery.crash.after import WrongStateError

WAYS = ("as it is", "without its record", "with a damaged record", "that takes no record")


def examine_board(site: BoardSite, good: str | None, wanted: str, ways: Sequence[str] = WAYS) -> None:
    """Start on what a crash has left, also without its record and on a disk that takes none.

    Args:
        site: of the board.
        good: version that was good before; None where only the package ran.
        wanted: version that the board was moving to.
        ways: in which it is started.

    Raises:
        WrongStateError: something is not as it must be.
    """
    logging.disable()
    read_agent_record(site.agent)
    for how in ways:
        copy = site.folder / "copy"
        shutil.copytree(site.state, copy, symlinks=True)
        agent = copy / site.agent.name
        if how == "without its record":
            (agent / RECORD).unlink(missing_ok=True)
        elif how == "with a damaged record" and agent.exists():
            (agent / RECORD).write_bytes(b"{")
        elif how == "that takes no record" and agent.exists():
            (agent / f"{RECORD}.new").unlink(missing_ok=True)
            (agent / f"{RECORD}.new").mkdir()
        lost = "record" in how and "takes" not in how
        facts = boot(copy, site.package)
        _examine(site, facts, agent, good, wanted, f"a board {how}", only_marked=lost)
        shutil.rmtree(copy)


def _examine(
    site: BoardSite,
    facts: Launched,
    agent: Path,
    good: str | None,
    wanted: str,
    where: str,
    *,
    only_marked: bool,
) -> None:
    version, witnessed = version_of(facts), site.witnessed()
    allowed = {wanted, good or facts.packaged}
    if where.endswith("without its record"):
        allowed.add(facts.packaged)  # nothing says that there were deliveries
    _check(version in allowed, f"{where} runs {version}, allowed are {sorted(allowed)}")
    if version == wanted and facts.trial:
        _check(not only_marked, f"{where} tries {version}")
        _check(f"checked {wanted}" in witnessed, f"{where} tries {version}, which was never checked")
        _check("takes no record" not in where, f"{where} tries {version}, and cannot count it")
    elif version == wanted:
        _check(f"passing {wanted}" in witnessed, f"{where} runs {version}, which was never good")
    _check(not (version == wanted and f"left {wanted}" in witnessed), f"{where} runs {version} again")
    if facts.slot is not None:
        environment = agent / VERSIONS / facts.slot
        found = damage(environment, hashed=True)
        _check(found is None, f"{where} runs a damaged version: {found}")
        if REAL not in witnessed or not where.endswith(WAYS[0]):
            return
        command = [str(interpreter(environment)), "-I", "-B", "-m", "edgeagent", "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        _check(said == ["edgeagent", version], f"{where} runs {said} instead of {version}")


def _check(right: bool, what: str) -> None:
    if not right:
        raise WrongStateError(what)
