"""One cell of the matrix: a state that begins at a moment, with the whole daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.broker import Mosquitto
from tests.delivery.server import Server
from tests.delivery.state_matrix import shifted_clock
from tests.delivery.state_matrix.board import Board
from tests.delivery.state_matrix.faults import FAULTS, MOMENTS, Fault, Moment
from tests.delivery.state_matrix.offers import FIRST, SECOND, Offers, prepare
from tests.delivery.state_matrix.shifted_clock import ShiftedClock

CELLS = tuple((name, moment) for moment in MOMENTS for name in FAULTS)


@dataclass(frozen=True)
class Found:
    """What a board did.

    Attributes:
        served: version under the fault.
        told: what it said, cut.
        status: exit code of ``edgeagent status`` under the fault.
    """

    served: str
    told: str
    status: int


class Matrix:
    """What all cells share.

    Args:
        folder: empty.
    """

    def __init__(self, folder: Path, offers: Offers, broker: Mosquitto) -> None:
        self._folder, self._offers, self._broker = folder, offers, broker
        self._library = shifted_clock.build(folder)
        self._number = 0

    def try_cell(self, name: str, moment: Moment) -> Found:
        """Take a board through one cell.

        Raises:
            AssertionError: it did not do what it must.
        """
        self._number += 1
        folder = self._folder / f"cell-{self._number}"
        fault = FAULTS[name]
        with Server(self._offers.repositories / FIRST) as server:
            clock = ShiftedClock(self._library, self._folder / f"clock-{self._number}")
            board = Board(folder, self._offers, self._broker, server, clock)
            try:
                _begin(board, fault, moment)
                found = _judge(board, fault, moment)
                fault.ends(board)
                _recovers(board, fault, moment)
                return found
            except AssertionError as error:
                raise AssertionError(f"{str(error)[:600]}; told: {board.told()}") from error
            finally:
                board.close()


@contextmanager
def matrix(folder: Path) -> Iterator[Matrix]:
    """Make everything that cells share below an empty folder."""
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        yield Matrix(folder, prepare(folder / "offers"), broker)


def _begin(board: Board, fault: Fault, moment: Moment) -> None:
    """Bring the state about at its moment."""
    if moment == "start":
        board.offer(SECOND)
        fault.begins(board)
        board.start()
    elif moment == "fetching":
        board.start()
        board.wait_for("deployment", lambda message: message["current"]["version"] == FIRST)
        board.hold()
        board.offer(SECOND)
        board.wait_held()
        fault.begins(board)
        board.release()
    else:
        board.offer(SECOND)
        board.start(endless=True)
        board.wait_for("deployment", lambda message: message["state"] == "trial")
        fault.begins(board)
        if moment in ("stop", "kill"):
            board.stop() if moment == "stop" else board.kill()
            board.start()


def _judge(board: Board, fault: Fault, moment: Moment) -> Found:
    """Detection goes on with a verified model that was good or has passed its gate, and the fault is told."""
    board.kill_worker()
    if words := fault.words(moment):
        board.wait_told(words)
    served, told = board.serving(), board.told()
    assert served in fault.allowed(moment), f"{served} serves: {told}"
    status = board.status()
    assert status in fault.status, told
    return Found(served, told, status)


def _recovers(board: Board, fault: Fault, moment: Moment) -> None:
    """Without the fault the newest release serves, and nothing is wrong any more."""
    if fault.until_restart:
        board.restart()
    ends = ("trial", "good") if moment == "trial" else ("good",)
    board.wait_last("info", lambda message: message["bundle"]["version"] == SECOND)
    board.wait_last(
        "deployment",
        lambda message: (message.get("version"), message["bad"]) == (SECOND, []) and message["state"] in ends,
    )
    board.wait_last("alarm", lambda message: not message["problems"])
    board.stop()
    board.assert_signed()
