"""Checks of delivery: root, repository, expiry and clock, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgeagent.delivery.repository.clear_text import clear_text_note
from edgeagent.doctor.delivery import check_repository, check_trusted_root
from edgeagent.doctor.finding import ExaminedSystem, Finding
from tests.broker import free_port
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository, altered, in_days
from tests.doctor.trees import configured
from tests.proxies import remove_proxies


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_proxies(monkeypatch)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.add({"model.onnx": b"model"})
    return made


@pytest.fixture
def server(repository: Repository) -> Iterator[Server]:
    with Server(repository.folder) as running:
        yield running


def system(repository: Repository, address: str, now: datetime | None = None) -> ExaminedSystem:
    settings = configured(delivery={"repository": address, "root": repository.trusted})
    return ExaminedSystem(settings=settings, now=now or datetime.now(timezone.utc))


def repository_findings(system: ExaminedSystem) -> dict[str, Finding]:
    return {finding.about: finding for finding in check_repository(system)}


def test_all_is_well(repository: Repository, server: Server) -> None:
    (root,) = check_trusted_root(system(repository, server.url))
    assert (root.verdict, root.found) == ("ok", f"{repository.trusted}, version 1")
    found = repository_findings(system(repository, server.url))
    assert {about: finding.verdict for about, finding in found.items()} == {
        "repository": "ok",
        "expiry": "ok",
        "clock of delivery": "ok",
    }
    assert found["repository"].found == f"{server.url} verifies; channel stable offers 1 releases"
    assert found["expiry"].found.endswith(" first, in 30.0 days")


def test_without_delivery_there_is_nothing_to_check() -> None:
    assert check_trusted_root(ExaminedSystem(settings=configured())) == []
    assert check_repository(ExaminedSystem(settings=configured())) == []
    assert check_repository(ExaminedSystem()) == []


def test_a_root_that_cannot_be_trusted(repository: Repository, server: Server) -> None:
    examined = system(repository, server.url)
    altered(repository.trusted, version=7)
    (root,) = check_trusted_root(examined)
    assert (root.verdict, root.found) == ("problem", f"{repository.trusted}: its own keys have not signed it")
    repository.trusted.write_bytes((repository.folder / "metadata" / "timestamp.json").read_bytes())
    assert "is no root metadata" in check_trusted_root(examined)[0].found
    repository.trusted.write_bytes(b"{}")
    assert "is no metadata of TUF" in check_trusted_root(examined)[0].found
    repository.trusted.unlink()
    assert "cannot be read" in check_trusted_root(examined)[0].found
    assert repository_findings(examined)["repository"].verdict == "problem"


def test_a_repository_that_cannot_be_reached(repository: Repository) -> None:
    found = repository_findings(system(repository, f"http://127.0.0.1:{free_port()}"))["repository"]
    assert found.verdict == "problem"
    assert "check network, proxy and delivery.repository" in found.action


def test_expiry_is_told_before_and_after(repository: Repository) -> None:
    folder = str(repository.folder)
    repository.timestamp.signed.expires = in_days(2)
    repository.publish()
    expiry = repository_findings(system(repository, folder))["expiry"]
    assert expiry.verdict == "warning"
    assert expiry.found == "timestamp expires in 2.0 days; no update after that"
    repository.timestamp.signed.expires = in_days(-1)
    repository.publish()
    found = repository_findings(system(repository, folder))["repository"]
    assert found.verdict == "problem"
    assert "edgeagent publish refresh" in found.action


@pytest.mark.parametrize("days", [-3, 3])
def test_the_clock_against_that_of_the_server(repository: Repository, server: Server, days: int) -> None:
    now = datetime.now(timezone.utc) + timedelta(days=days)
    found = repository_findings(system(repository, server.url, now))
    assert found["clock of delivery"].verdict == "problem"
    assert "set the clock" in found["clock of delivery"].action


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://models.lan/x", True),
        ("https://models.lan/x", False),
        ("http://127.0.0.1:8000", False),
        ("/media/stick", False),
    ],
)
def test_clear_text_is_told(address: str, told: bool) -> None:
    note = clear_text_note(address)
    assert (note is not None) == told
    assert note is None or "every file is signed" in note


def test_a_password_in_the_address_is_not_told() -> None:
    assert "secret" not in str(clear_text_note("http://me:secret@models.lan/"))
