"""Two clients with one id: when that is taken for sure, and how long is waited then."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

from edgeagent.telemetry.mqtt.client_id_conflict import (
    FIRST_S,
    GUESSED,
    KNOWN,
    LONGEST_S,
    WITHIN_S,
    ClientIdConflict,
)
from edgeagent.telemetry.mqtt.publisher import TAKEN_OVER
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import publishing, settings


def lose(conflict: ClientIdConflict, at: float, held: float, taken_over: bool = True) -> int | None:
    """Be connected for ``held`` seconds, up to ``at``."""
    conflict.connected(at - held)
    return conflict.lost(at, taken_over)


def test_a_few_takeovers_are_usual_and_more_of_them_are_waited_out_longer_and_longer() -> None:
    conflict, now, pauses = ClientIdConflict(), 1000.0, []
    for _ in range(10):
        pause = lose(conflict, now, 1.0)
        pauses.append(pause)
        now += 1.0 + (pause or 1)
    assert pauses[: KNOWN - 1] == [None] * (KNOWN - 1)
    waited = [pause for pause in pauses[KNOWN - 1 :] if pause is not None]
    assert len(waited) == 10 - KNOWN + 1
    for number, pause in enumerate(waited):
        least = min(FIRST_S * 2**number, LONGEST_S)
        assert least <= pause <= 1.5 * least


def test_takeovers_far_from_each_other_are_usual() -> None:
    conflict = ClientIdConflict()
    assert [lose(conflict, number * WITHIN_S, 1.0) for number in range(1, 9)] == [None] * 8


def test_where_the_broker_does_not_say_so_more_losses_are_needed() -> None:
    conflict = ClientIdConflict()
    found = [lose(conflict, 1000.0 + 5 * number, 2.0, taken_over=False) for number in range(GUESSED)]
    assert found[:-1] == [None] * (GUESSED - 1)
    assert found[-1] is not None


def test_a_network_that_breaks_now_and_then_is_no_takeover() -> None:
    conflict = ClientIdConflict()
    assert [lose(conflict, 1000.0 + 40 * n, 30.0, taken_over=False) for n in range(20)] == [None] * 20


def test_a_connection_that_holds_ends_it() -> None:
    conflict = ClientIdConflict()
    for number in range(KNOWN):
        pause = lose(conflict, 1000.0 + number, 0.5)
    assert pause is not None
    assert lose(conflict, 5000.0, 3000.0, taken_over=True) is None


class Told(logging.Handler):
    """Waits for a message in the log."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted, self.there = wanted, threading.Event()
        logging.getLogger("edgeagent").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self.wanted in record.getMessage():
            self.there.set()

    def wait(self) -> bool:
        found = self.there.wait(PATIENCE)
        logging.getLogger("edgeagent").removeHandler(self)
        return found


def test_two_agents_of_one_name_stop_fighting_and_say_so(tmp_path: Path) -> None:
    told = Told("edgeagent-board")
    with (
        Mosquitto(tmp_path) as broker,
        publishing(settings(broker.port)) as first,
        publishing(settings(broker.port)) as second,
    ):
        assert told.wait()
        # the one that waits leaves the broker to the other
        assert any(publisher.wait_for("connected", PATIENCE) for publisher in (first, second))
        assert broker.log().count("already connected, closing old connection") <= 2 * GUESSED + 1


def test_a_broker_that_says_so_is_believed_sooner() -> None:
    told = Told("another client uses the ID of this device, edgeagent-board")
    connections: list[int] = []

    def serve() -> None:
        for number in range(KNOWN):
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connections.append(number)
                connection.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK
                connection.sendall(bytes([0xE0, 2, TAKEN_OVER, 0]))  # DISCONNECT
                while connection.recv(1024):  # closed with something unread, it would be reset
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve)
        serving.start()
        with publishing(settings(server.getsockname()[1])):
            assert told.wait()
            serving.join(PATIENCE)
    assert connections == list(range(KNOWN))
