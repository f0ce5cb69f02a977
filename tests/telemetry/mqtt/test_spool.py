"""The spool on a real disk: order, bounds, and what is left after kills, torn writes and garbled files."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from edgeagent.telemetry.contract.streams import HIGHEST, LOWEST
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage, SpoolError
from tests.small_disk import ROOT, on_small_disk

LIMIT, WEEK = 50_000_000, 604_800.0
PAYLOAD = random.Random(0).randbytes(4096)


def telemetry(number: int, payload: bytes = PAYLOAD) -> SpooledMessage:
    return SpooledMessage(number, "telemetry", LOWEST, payload)


def event(number: int) -> SpooledMessage:
    return SpooledMessage(number, "events/camera", HIGHEST, PAYLOAD)


def held(spool: Spool) -> list[SpooledMessage]:
    whole, garbled = spool.after(0, 1_000_000)
    assert not garbled
    return whole


def test_what_is_kept_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    path = tmp_path / "state" / "spool.db"
    wanted = [telemetry(1), event(2), SpooledMessage(3, "telemetry", LOWEST, b""), telemetry(9, b"a\nb\x00c")]
    spool = Spool(path, LIMIT, WEEK)
    assert spool.append(wanted[:2]) == []
    assert spool.append(wanted[2:]) == []
    spool.close()
    again = Spool(path, LIMIT, WEEK)
    assert held(again) == wanted
    assert (again.waiting, again.last, again.damaged) == (4, 9, 0)
    assert again.after(2, 1) == ([wanted[2]], [])
    again.remove([2, 9])
    assert held(again) == [wanted[0], wanted[2]]
    assert (again.waiting, again.last) == (2, 3)
    again.close()


def test_the_oldest_telemetry_makes_room_and_events_last(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, 1_000_000, WEEK)
    events = [event(number) for number in range(1, 21)]
    spool.append(events)
    dropped: list[tuple[int, str]] = []
    for first in range(21, 1021, 4):
        dropped += spool.append([telemetry(number) for number in range(first, first + 4)])
    ids = [message.id for message in held(spool)]
    assert ids[:20] == [message.id for message in events]
    assert ids[20:] == list(range(ids[20], 1021)), "the newest telemetry stays"
    assert dropped == [(number, "telemetry") for number in range(21, ids[20])]
    assert spool.waiting == len(ids)
    assert path.stat().st_size < 1_400_000
    for first in range(1021, 2021, 40):
        dropped += spool.append([event(number) for number in range(first, first + 40)])
    left = held(spool)
    assert {message.priority for message in left} == {HIGHEST}, "telemetry has gone first"
    assert [message.id for message in left] == list(range(left[0].id, 2021))
    assert len(dropped) == len(set(dropped)) == 2020 - len(left)
    assert path.stat().st_size < 1_400_000
    spool.close()


def test_age_is_time_of_running_whatever_the_wall_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the wall clock was asked"))
    path = tmp_path / "spool.db"
    spool = Spool(path, LIMIT, age=100.0)
    spool.append([telemetry(1), event(2)])
    now += 60
    assert spool.append([telemetry(3)]) == []
    spool.close()
    now = 5.0  # another boot: the monotonic clock begins again
    spool = Spool(path, LIMIT, age=100.0)
    now += 39
    assert spool.append([telemetry(4)]) == []
    now += 2
    assert spool.append([telemetry(5)]) == [(1, "telemetry"), (2, "events/camera")]
    assert [message.id for message in held(spool)] == [3, 4, 5]
    spool.close()


WRITE_FOR_EVER = """
import itertools, random, sys
from pathlib import Path
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage
spool = Spool(Path(sys.argv[1]), 50_000_000, 1e6)
for number in itertools.count(spool.last + 1):
    spool.append([SpooledMessage(number, "telemetry", 0, random.randbytes(2000))])
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_had_kept(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    kept = 0
    last = b"0"
    for count in (1, 40, 300):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert writer.stdout is not None
        for _ in range(count):
            last = writer.stdout.readline()
        writer.kill()
        kept = int((writer.stdout.read().splitlines() or [last])[-1])
        writer.wait()
    spool = Spool(path, LIMIT, WEEK)
    ids = [message.id for message in held(spool)]
    assert ids in ([*range(1, kept + 1)], [*range(1, kept + 2)])  # the last may not have been told any more
    assert spool.damaged == 0
    spool.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """File and log as they are on the disk while a spool is in use: 40 in the file, 20 in the log."""
    folder = tmp_path_factory.mktemp("running")
    path = folder / "spool.db"
    first = Spool(path, LIMIT, WEEK)
    first.append([telemetry(number) for number in range(1, 41)])
    first.close()
    spool = Spool(path, LIMIT, WEEK)
    for number in range(41, 61):
        spool.append([telemetry(number)])
    found = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    spool.close()
    return found


def opened(folder: Path, file: bytes, log: bytes) -> Spool:
    path = folder / "spool.db"
    path.write_bytes(file)
    Path(f"{path}-wal").write_bytes(log)
    return Spool(path, LIMIT, WEEK)


@pytest.mark.parametrize("seed", range(20))
def test_a_log_that_was_torn_loses_only_its_end(
    running: tuple[bytes, bytes], tmp_path: Path, seed: int
) -> None:
    file, log = running
    chance = random.Random(seed)
    cut = chance.randrange(len(log))
    torn = log[:cut]
    if seed % 2:  # the length was written, the content was not
        torn += chance.randbytes(min(5000, len(log) - cut)) + bytes(max(0, len(log) - cut - 5000))
    spool = opened(tmp_path, file, torn)
    ids = [message.id for message in held(spool)]
    assert ids == list(range(1, len(ids) + 1))
    assert 40 <= len(ids) <= 60
    assert spool.damaged == 0
    assert all(message.payload == PAYLOAD for message in held(spool))
    spool.append([telemetry(100)])
    assert held(spool)[-1].id == 100
    spool.close()


@pytest.mark.parametrize("seed", range(40))
def test_a_file_that_was_torn_or_garbled_never_stops_it(
    running: tuple[bytes, bytes], tmp_path: Path, seed: int
) -> None:
    """What can be read is whole and in order; the rest is put aside, and it goes on."""
    file, _ = running
    chance = random.Random(seed)
    place = chance.randrange(len(file)) if seed % 4 else chance.randrange(200)
    if seed % 2:
        bad = file[:place]
    else:
        length = chance.choice([1, 100, 5000])
        bad = (file[:place] + chance.randbytes(length) + file[place + length :])[: len(file)]
    spool = opened(tmp_path, bad, b"")
    found: list[SpooledMessage] = []
    garbled: list[int] = []
    try:
        found, garbled = spool.after(0, 1000)
    except SpoolError:
        assert spool.damaged == 1
    assert all(message.payload == PAYLOAD for message in found)
    assert [m.id for m in found] == sorted(m.id for m in found)
    if spool.damaged:
        assert (tmp_path / "spool.db.damaged").exists()
        assert found == []
    spool.remove(garbled)
    spool.append([telemetry(100)])
    assert spool.after(99, 9) == ([telemetry(100)], [])
    spool.close()


def test_content_that_rots_on_the_disk_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, LIMIT, WEEK)
    spool.append([telemetry(number, b'{"sequence":%d}' % number) for number in range(1, 4)])
    spool.close()
    content = zlib.compress(b'telemetry\n{"sequence":2}')
    assert path.read_bytes().count(content) == 1
    path.write_bytes(path.read_bytes().replace(content, content[:-9] + b"X" + content[-8:]))
    spool = Spool(path, LIMIT, WEEK)
    whole, garbled = spool.after(0, 10)
    assert ([message.id for message in whole], garbled) == ([1, 3], [2])
    spool.close()


def test_a_file_that_is_no_database_is_put_aside_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"not a database" * 1000)
    spool = Spool(path, LIMIT, WEEK)
    assert spool.damaged == 1
    assert "spool.db: damaged (file is not a database); renamed to spool.db.damaged" in caplog.text
    assert (tmp_path / "spool.db.damaged").read_bytes() == b"not a database" * 1000
    spool.append([telemetry(1)])
    spool.close()


def test_two_programs_do_not_use_one_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path, LIMIT, WEEK)
    with pytest.raises(SpoolError, match="locked"):
        Spool(path, LIMIT, WEEK)
    first.append([telemetry(1)])
    first.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match=r"spool\.db: cannot be created"):
        Spool(tmp_path / "file" / "spool.db", LIMIT, WEEK)
    (tmp_path / "spool.db").mkdir()
    with pytest.raises(SpoolError, match="unable to open"):
        Spool(tmp_path / "spool.db", LIMIT, WEEK)


FILL = """
import random, sys
from pathlib import Path
from edgeagent.telemetry.mqtt.spool import Spool, SpoolError, SpooledMessage
spool = Spool(Path(sys.argv[1]) / "spool.db", 50_000_000, 1e6)
others = Path(sys.argv[1]) / "others"
others.write_bytes(bytes(1_000_000))
kept = 0
try:
    while True:
        spool.append([SpooledMessage(kept + 1, "telemetry", 0, random.randbytes(4000))])
        kept += 1
except SpoolError as error:
    print(error)
whole, garbled = spool.after(0, 10**6)
print(kept, [message.id for message in whole] == list(range(1, kept + 1)), garbled)
others.unlink()
spool.remove([message.id for message in whole[:20]])
spool.append([SpooledMessage(kept + 1, "telemetry", 0, b"")])
print(spool.waiting == kept - 19)
"""


def test_a_full_disk_keeps_what_it_has_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    done = on_small_disk(tmp_path, "3m", [sys.executable, "-c", FILL, str(tmp_path)])
    assert done.returncode == 0, done.stderr
    reason, kept, going_on = done.stdout.splitlines()
    assert "full" in reason or "disk I/O error" in reason
    assert int(kept.split()[0]) > 100
    assert kept.endswith("True []")
    assert going_on == "True"


def test_the_file_can_be_read_by_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, LIMIT, WEEK)
    spool.append([telemetry(1, b"{}")])
    spool.close()
    shutil.copy(path, tmp_path / "copy.db")
    rows = sqlite3.connect(tmp_path / "copy.db").execute("SELECT id, worth, message FROM waiting").fetchall()
    assert rows == [(1, LOWEST, zlib.compress(b"telemetry\n{}"))]


def test_a_file_with_a_text_that_is_not_utf8_is_put_aside(tmp_path: Path) -> None:
    """SQLite's error names the damaged index, whose name is not UTF-8 any more."""
    path = tmp_path / "spool.db"
    spool = Spool(path, LIMIT, WEEK)
    spool.append([telemetry(1)])
    spool.close()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE INDEX marker ON waiting (kept)")
    connection.close()
    path.write_bytes(path.read_bytes().replace(b"CREATE INDEX marker", b"CREATE XNDEX m\xce\xffker"))
    spool = Spool(path, LIMIT, WEEK)
    assert (spool.damaged, held(spool)) == (1, [])
    assert spool.append([telemetry(2)]) == []
    spool.close()


@pytest.mark.parametrize("kept", ["9e999", "-1.0", "1e300"])
def test_a_running_time_that_cannot_be_is_damage(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, LIMIT, WEEK)
    spool.append([telemetry(1)])
    spool.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE waiting SET kept = {kept}")
    connection.close()
    spool = Spool(path, LIMIT, WEEK)
    assert (spool.damaged, spool.waiting) == (1, 0)
    spool.close()
