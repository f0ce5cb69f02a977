"""States in which a board may be: how each comes, how it ends, and what the board must then do and say."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeagent.delivery.state.store import FOLDER
from tests.delivery.server import Handler, dripping
from tests.delivery.state_matrix.board import Board
from tests.delivery.state_matrix.offers import CONFIGURED, FIRST, MODEL, SECOND
from tests.engines.test_verified_loading import flip_a_bit

Moment = str
MOMENTS: tuple[Moment, ...] = ("start", "fetching", "trial", "stop", "kill")
"""When a state begins.

``start``: before the start of the daemon. ``fetching``: in the middle of a file. ``trial``: while a new model
serves on probation. ``stop``, ``kill``: in the same probation, before the daemon is stopped or killed; then
it starts again.
"""


@dataclass(frozen=True)
class Fault:
    """One state.

    Attributes:
        begins: brings it about.
        ends: the opposite.
        told: what alarm or deployment must say, as a regular expression; by moment where it differs.
        serves: versions one of which must serve; by moment.
        status: exit codes of ``edgeagent status``, one of which it must have.
        until_restart: whether the board is well only after another start.
    """

    begins: Callable[[Board], object]
    ends: Callable[[Board], object]
    told: str = ""
    told_at: dict[Moment, str] = field(default_factory=dict)
    serves: tuple[str, ...] = (FIRST, SECOND)
    serves_at: dict[Moment, tuple[str, ...]] = field(default_factory=dict)
    until_restart: bool = False
    status: tuple[int, ...] = (0, 1)

    def words(self, moment: Moment) -> str:
        """Return what must be told."""
        return self.told_at.get(moment, self.told)

    def allowed(self, moment: Moment) -> tuple[str, ...]:
        """Return what may serve."""
        return self.serves_at.get(moment, self.serves)


def _fill(board: Board) -> None:
    with (board.state / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return


def _empty(board: Board) -> None:
    for path in board.state.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _no_folder(board: Board) -> None:
    shutil.rmtree(board.state)
    board.state.write_bytes(b"")


def _folder_again(board: Board) -> None:
    board.state.unlink()
    board.state.mkdir()


def _damage_slot(board: Board) -> None:
    """Flip a bit of the newest model of the board."""
    newest = max((board.state / FOLDER / "slots").glob(f"*/{MODEL}"))
    newest.chmod(0o600)
    flip_a_bit(newest)


def _mend_unread(board: Board) -> None:
    """Flip the bit back where nothing has read the slot, as it is that of the model before."""
    for path in (board.state / FOLDER / "slots").glob(f"*/{MODEL}"):
        if hashlib.sha256(path.read_bytes()).hexdigest() not in board.offers.known:
            flip_a_bit(path)


def _answer(status: int) -> Callable[[Board], object]:
    def answer(handler: Handler, _: bytes) -> None:
        handler.answer(status, b"no\n")

    return lambda board: board.server.answer_always("", answer)


def _slow(board: Board) -> None:
    def slow(handler: Handler, content: bytes) -> None:
        dripping(handler, content) if content else handler.answer(404, b"no such file\n")

    board.server.answer_always("", slow)


def _as_usual(board: Board) -> None:
    board.server.answer_always("", None)


def _spoilt(how: str) -> Callable[[Board], object]:
    return lambda board: board.offer(f"{SECOND}-{how}")


def _sound(board: Board) -> None:
    board.offer(SECOND)


def _clock(days: float) -> Callable[[Board], object]:
    return lambda board: board.clock.shift(days)


FAULTS: dict[str, Fault] = {
    "normal": Fault(lambda board: None, lambda board: None),
    "state read-only": Fault(
        lambda board: board.protect(),
        lambda board: board.allow(),
        "delivery_unavailable",
    ),
    "state full": Fault(_fill, lambda board: (board.state / "filler").unlink(), "delivery_unavailable"),
    "state emptied": Fault(_empty, lambda board: None, serves=(CONFIGURED, FIRST, SECOND)),
    "state no folder": Fault(
        _no_folder,
        _folder_again,
        "delivery_unavailable",
        serves=(CONFIGURED, FIRST, SECOND),
        status=(7,),
        until_restart=True,
    ),
    "root missing": Fault(
        lambda board: board.root.unlink(),
        lambda board: board.root.write_bytes(board.offers.root),
        "delivery_unavailable",
    ),
    "root damaged": Fault(
        lambda board: board.root.write_bytes(bytes(400)),
        lambda board: board.root.write_bytes(board.offers.root),
        "delivery_unavailable",
    ),
    "root read-only": Fault(lambda board: board.protect(trust=True), lambda board: board.allow(trust=True)),
    "clock a year behind": Fault(_clock(-365), _clock(0), "the clock of this device shows"),
    "clock a year ahead": Fault(_clock(365), _clock(0), "the clock of this device shows"),
    "repository absent": Fault(_answer(404), _as_usual, "404"),
    "repository unavailable": Fault(_answer(503), _as_usual, "503"),
    "repository slow": Fault(_slow, _as_usual),
    "repository expired": Fault(_spoilt("expired"), _sound, "repository_expires"),
    "repository altered": Fault(_spoilt("altered"), _sound, told_at={"start": "repository_refused"}),
    "repository forged": Fault(_spoilt("forged"), _sound, "repository_refused"),
    "slot damaged": Fault(  # while the next model is fetched, that one serves before anything reads the slot
        _damage_slot,
        _mend_unread,
        told_at=dict.fromkeys(("start", "trial", "stop", "kill"), "its slot was damaged"),
        serves=(CONFIGURED, FIRST, SECOND),
    ),
}
