"""``edgeagent fleet``: queries in their forms, and mistakes told in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import edgeagent, the_line
from tests.fleet.ingest.running import fleet_broker
from tests.fleet.rows import new_store

SQL = "SELECT 1 AS one, NULL AS nothing, 'a,b' AS text, [1, 2] AS list"


def test_a_query_in_three_forms(tmp_path: Path) -> None:
    new_store(tmp_path / "s")
    code, out, err = edgeagent("fleet", "query", "--store", tmp_path / "s", SQL)
    assert code == 0
    assert err.endswith("1 rows\n")
    assert out.splitlines() == ["one  nothing  text  list", "1             a,b   [1, 2]"]
    code, out, _ = edgeagent("fleet", "query", "--store", tmp_path / "s", "--csv", SQL)
    assert (code, out) == (0, 'one,nothing,text,list\n1,,"a,b","[1, 2]"\n')
    code, out, _ = edgeagent("fleet", "query", "--store", tmp_path / "s", "--json", SQL)
    assert code == 0
    assert json.loads(out)["rows"] == [{"one": 1, "nothing": None, "text": "a,b", "list": [1, 2]}]


def test_a_query_that_would_change_something_is_refused(tmp_path: Path) -> None:
    new_store(tmp_path / "s")
    code, out, err = edgeagent("fleet", "query", "--store", tmp_path / "s", "TRUNCATE TABLE telemetry")
    assert (code, out) == (9, "")
    assert "readonly" in err.lower()
    assert "Traceback" not in err


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    code, out, err = edgeagent("fleet", "query", "--store", tmp_path / "fleet-dat", SQL)
    assert (code, out) == (2, "")
    told = "there is no store; give the folder of `edgeagent fleet ingest` with --store"
    assert the_line(err) == f"{tmp_path / 'fleet-dat'}: {told}"
    assert list(tmp_path.iterdir()) == []


def test_frames_need_a_folder(tmp_path: Path) -> None:
    new_store(tmp_path / "s")
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        options = ("--store", tmp_path / "s", "--state", tmp_path / "state")
        code, _, err = edgeagent("fleet", "serve", *options, "--frames", place)
        assert (code, f"--frames {place}: expected a folder" in err) == (2, True), err
        assert "Traceback" not in err
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ingest", "--broker", "x:0"), "--broker: expected HOST or HOST:PORT"),
        (("ingest", "--broker", "x", "--workers", "0"), "fleet ingest: workers"),
        (("ingest", "--broker", "x", "--name", "a b"), "fleet ingest: name"),
        (("ingest", "--broker", "x", "--ca", "f"), "--ca goes with --tls"),
        (("simulate", "--broker", "x", "--devices", "0"), "--devices: expected more than 0"),
        (("simulate", "--broker", "x", "--faults", "x=1%"), "is none of all, duplicates"),
        (("simulate", "--broker", "x", "--regression", "p99=2"), "goes with --update"),
        (("query", "--store", "http://x", "SELECT 1"), "not the address of a store"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], told: str) -> None:
    code, _, err = edgeagent("fleet", *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    code, _, err = edgeagent("fleet", "query", "--store", tmp_path, "SELECT 1", without="chdb,chdb.session")
    assert code == 2
    assert "pip install 'edgeagent[fleet]'" in err


def test_a_simulation_says_when_it_ends_and_what_it_has_published(tmp_path: Path) -> None:
    with fleet_broker(tmp_path) as broker:
        code, out, err = edgeagent(
            "fleet", "simulate", "--broker", f"127.0.0.1:{broker.port}", "--devices", "2", "--messages", "4",
            "--rate", "1000",
        )  # fmt: skip
    assert code == 0, err
    assert "2 devices are connected; they publish until 4 messages of telemetry are sent" in err
    assert out.startswith("2 devices have published: ")
    assert "4 telemetry" in out


def test_a_broker_that_is_not_there_is_told() -> None:
    code, _, err = edgeagent("fleet", "simulate", "--broker", "127.0.0.1:1", "--devices", "1")
    assert code == 1
    assert "127.0.0.1:1 cannot be reached" in err
