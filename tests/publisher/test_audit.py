"""Audit log: an entry for each change, held by signed metadata; what is changed, cut or moved is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.publisher.audit import (
    PENDING,
    AuditEntry,
    add_pending,
    audited_operation,
    entry_file,
    read_pending,
)
from edgeagent.publisher.audit_chain import AuditLog, read_logs
from edgeagent.publisher.audit_check import check_audit
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.handover import accept
from edgeagent.publisher.opening import opened
from edgeagent.publisher.places import metadata_folder
from edgeagent.publisher.release import add_bundle, set_boards, withdraw
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import delegate, rotate_key
from edgeagent.publisher.served import Served
from tests.publisher.publisher_folder import Device, PublisherFolder, bundle, plain_key

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def logs(publisher: PublisherFolder) -> dict[str, AuditLog]:
    return {log.role: log for log in read_logs(publisher.folder)}


def problems(publisher: PublisherFolder, *since: str) -> list[str]:
    return check_audit(publisher.folder, since)[1]


def change(publisher: PublisherFolder, action: str, **fields: str) -> None:
    """Publish a change of the boards, described as an action."""
    with publisher.opened() as publication:
        publication.who = fields.get("who", "anna@desk")
        set_boards(publication, "stable", "tiny", "1.2.3", [fields.get("board", "any")])
        publication.describe(action, "tiny 1.2.3")
        assert publication.publish()


def test_every_change_is_an_entry_with_who_what_and_key(publisher: PublisherFolder) -> None:
    change(publisher, "boards", who="bob@desk")
    with publisher.opened() as publication:
        withdraw(publication, "stable", "tiny", "1.2.3", "blind")
        publication.describe("withdraw", "stable tiny 1.2.3: blind")
        assert publication.publish()
    found = logs(publisher)
    assert [one.entry.action for one in found["targets"].entries] == ["init", "change"]
    stable = [one.entry for one in found["stable"].entries]
    assert [(entry.sequence, entry.action) for entry in stable] == [
        (1, "change"),
        (2, "boards"),
        (3, "withdraw"),
    ]
    assert stable[1].who == "bob@desk"
    assert stable[2].object == "stable tiny 1.2.3: blind"
    md = Served(publisher.folder).metadata("stable")
    assert md is not None
    assert set(stable[2].keys) == set(md.signatures)
    assert problems(publisher) == []


def test_devices_see_nothing_of_it_and_can_fetch_it(publisher: PublisherFolder, device: Device) -> None:
    assert [release.name for release in device.index(publisher.folder).releases] == ["tiny"]
    newest = device.fetch(publisher.folder, "stable/audit.json")
    assert newest is not None
    assert AuditEntry.model_validate_json(newest).action == "change"
    assert device.fetch(publisher.folder, "audit.json") is not None


def test_a_refresh_waits_unsigned_for_the_next_entry(publisher: PublisherFolder) -> None:
    for day in range(3):
        with publisher.opened(now=lambda day=day: NOW + timedelta(days=day)) as publication:  # type: ignore[misc]
            publication.who = "timer@server"
            publication.describe("refresh", "refreshed")
            assert publication.publish(refresh=True)
    (waiting,) = read_pending(publisher.folder)
    assert (waiting.action, waiting.times, waiting.first) == ("refresh", 3, NOW)
    change(publisher, "boards")
    assert read_pending(publisher.folder) == ()
    newest = logs(publisher)["stable"].entries[-1].entry
    assert newest.unsigned == (waiting,)
    change(publisher, "boards", board="rpi5")
    assert logs(publisher)["stable"].entries[-1].entry.unsigned == ()


def test_what_was_signed_is_not_repeated_after_an_interruption(publisher: PublisherFolder) -> None:
    operation = audited_operation(NOW, "timer@server", "refresh", "refreshed")
    add_pending(publisher.folder, operation)
    pending = (publisher.folder / PENDING).read_bytes()
    change(publisher, "boards")
    (publisher.folder / PENDING).write_bytes(pending)  # killed before it was removed
    change(publisher, "boards", board="rpi5")
    entries = [one.entry for one in logs(publisher)["stable"].entries]
    assert [entry.unsigned for entry in entries[-2:]] == [(operation,), ()]


def test_an_operation_that_fails_leaves_no_entry(publisher: PublisherFolder) -> None:
    before = publisher.files()
    with pytest.raises(RuntimeError), publisher.opened() as publication:
        set_boards(publication, "stable", "tiny", "1.2.3", ["rpi5"])
        publication._add_audit_entries()
        raise RuntimeError
    assert publisher.files() == before
    assert problems(publisher) == []


def test_a_rotation_of_the_targets_key_is_in_every_log(publisher: PublisherFolder) -> None:
    new = plain_key(publisher.keys / "new.pem")
    with publisher.opened() as publication:
        rotate_key(publication, "targets", new, None, publisher.secrets)
        publication.describe("rotate-key", "targets")
        assert publication.publish()
    for role in ("targets", "stable"):
        assert logs(publisher)[role].entries[-1].entry.action == "rotate-key"
    assert problems(publisher) == []


def entries(publisher: PublisherFolder) -> list[Path]:
    """Return the files of the log of ``stable``, the oldest first."""
    return [entry_file(publisher.folder, "stable", one.sha256) for one in logs(publisher)["stable"].entries]


def test_a_changed_entry_is_named(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    first, newest = entries(publisher)
    first.write_bytes(first.read_bytes().replace(b"change", b"chance"))
    assert problems(publisher) == [
        f"stable: the entry before number 2 was changed: {first.name} is not what its hash says"
    ]
    newest.write_bytes(b"{}")
    assert "the newest entry was changed" in problems(publisher)[0]


def test_a_missing_entry_is_named(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    entries(publisher)[0].unlink()
    (problem,) = problems(publisher)
    assert "the entry before number 2 is missing: the log is cut off there" in problem


class Forger(PublisherFolder):
    """A publisher with all keys who writes the log again."""

    def __init__(self, publisher: PublisherFolder) -> None:
        self.folder, self.keys, self.secrets = publisher.folder, publisher.keys, publisher.secrets

    def forge(self, chain: list[AuditEntry]) -> None:
        """Sign the next metadata of ``stable`` with another log."""
        with self.opened() as publication:
            previous = None
            for entry in chain:
                linked = entry.model_copy(update={"previous": previous})
                content = (linked.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
                previous = hashlib.sha256(content).hexdigest()
                entry_file(self.folder, "stable", previous).write_bytes(content)
            with publication.edit_targets("stable") as targets:
                target = targets.targets["stable/audit.json"]
                target.hashes["sha256"], target.length = str(previous), len(content)
            publication._add_audit_entries = lambda: True  # type: ignore[method-assign]
            assert publication.publish()


def test_a_log_that_a_key_holder_wrote_again_is_found_by_old_metadata(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    change(publisher, "withdraw", board="rpi5")
    chain = [one.entry for one in logs(publisher)["stable"].entries]
    forger = Forger(publisher)
    changed, further = (
        chain[2].model_copy(update={"who": "nobody"}),
        chain[2].model_copy(update={"sequence": 4}),
    )
    forger.forge([chain[0], chain[1], changed, further])
    (problem,) = problems(publisher)
    assert problem.startswith(
        "stable: version 3 of the metadata was signed with an entry that the log does not"
    )


def test_a_shortened_log_is_found_by_old_metadata(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    chain = [one.entry for one in logs(publisher)["stable"].entries]
    Forger(publisher).forge(chain[:1])
    assert (
        "version 2 of the metadata was signed with an entry that the log does not" in problems(publisher)[0]
    )


def test_entries_in_another_order_are_named(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    change(publisher, "withdraw", board="rpi5")
    chain = [one.entry for one in logs(publisher)["stable"].entries]
    Forger(publisher).forge([chain[0], chain[2], chain[1]])
    assert (
        "number 3 stands before number 2: entries are missing or in another order" in problems(publisher)[0]
    )
    Forger(publisher).forge(chain[1:])
    assert "begins with number 2: the entries before it are cut off" in problems(publisher)[0]


def test_a_version_without_an_entry_or_without_a_log_is_named(publisher: PublisherFolder) -> None:
    with publisher.opened() as publication:
        set_boards(publication, "stable", "tiny", "1.2.3", ["rpi5"])
        publication._add_audit_entries = lambda: True  # type: ignore[method-assign]
        assert publication.publish()
    assert problems(publisher) == [
        "stable: version 2 of the metadata was published without an entry: number 1 is still the newest"
    ]
    with publisher.opened() as publication:
        with publication.edit_targets("stable") as targets:
            del targets.targets["stable/audit.json"]
        publication._add_audit_entries = lambda: True  # type: ignore[method-assign]
        assert publication.publish()
    assert "version 1 of the metadata has a log, and the newest metadata have none" in problems(publisher)[-1]


def test_metadata_that_nobody_signed_are_named(publisher: PublisherFolder) -> None:
    change(publisher, "boards")
    path = metadata_folder(publisher.folder) / "1.stable.json"
    path.write_bytes(path.read_bytes().replace(b'"audit.json"', b'"audit.jsoN"').replace(b"2026", b"2027", 1))
    data = json.loads(path.read_bytes())
    data["signed"]["expires"] = "2031-01-01T00:00:00Z"
    path.write_text(json.dumps(data), encoding="ascii")
    assert any(
        "version 1 of the metadata has no valid signatures" in problem for problem in problems(publisher)
    )


def kept(publisher: PublisherFolder, capsys: pytest.CaptureFixture[str], path: Path) -> str:
    capsys.readouterr()
    assert main(["publish", "audit", "--json", "--repository", str(publisher.folder)]) == 0
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return str(path)


def test_a_kept_copy_tells_what_even_all_keys_cannot_hide(
    publisher: PublisherFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(publisher, "boards")
    change(publisher, "withdraw", board="rpi5")
    copy, newest = (
        kept(publisher, capsys, tmp_path / "kept.json"),
        logs(publisher)["stable"].entries[-1].sha256,
    )
    change(publisher, "boards")
    assert problems(publisher, copy, newest) == []
    chain = [one.entry for one in logs(publisher)["stable"].entries]
    for path in metadata_folder(publisher.folder).glob("[1-3].stable.json"):
        path.unlink()  # the history is gone, too
    forger = Forger(publisher)
    forger.forge([chain[0], chain[1].model_copy(update={"object": "other"}), chain[2]])
    assert any(
        "number 2 of the kept copy was boards 'tiny 1.2.3', and is boards 'other' now: it was changed"
        in problem
        for problem in problems(publisher, copy)
    )
    forger.forge(chain[:2])
    assert any(
        "number 3 of the kept copy is gone: the log was cut" in problem
        for problem in problems(publisher, copy)
    )
    assert any(
        problem.startswith(f"{newest}: no log has this entry") for problem in problems(publisher, newest)
    )


def test_a_kept_copy_must_be_one(publisher: PublisherFolder, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="cannot be read"):
        problems(publisher, str(tmp_path / "gone"))
    (tmp_path / "other.json").write_text("{}", encoding="ascii")
    with pytest.raises(PublishError, match="is no document of"):
        problems(publisher, str(tmp_path / "other.json"))


def team(publisher: PublisherFolder, tmp_path: Path) -> tuple[Path, str]:
    """Delegate a channel to a team, and return its copy of the folder and its key."""
    uri = plain_key(tmp_path / "team" / "key.pem")
    with publisher.opened() as publication:
        key = publication.signers.add(uri)
        delegate(publication, "gates", [key], 1)
        publication.describe("delegate", "gates")
        publication.publish()
    copy = tmp_path / "copy"
    shutil.copytree(publisher.folder, copy)
    (copy / "publisher.json").unlink()
    return copy, uri


def of_team(
    copy: Path, uri: str, publisher: PublisherFolder, bundle_folder: Path | None, action: str
) -> None:
    with opened(copy, publisher.secrets, [uri], who="team@desk") as publication:
        if bundle_folder is None:
            withdraw(publication, "gates", "tiny", "1.2.3", "blind")
        else:
            add_bundle(publication, bundle_folder, "gates", ["any"])
        publication.describe(action, "gates tiny 1.2.3")
        publication.publish()


def taken(publisher: PublisherFolder, copy: Path) -> None:
    def take(publication: Publication) -> None:
        accept(publication, copy)
        publication.describe("accept", "gates")

    assert publisher.change(take)


def test_the_log_of_a_team_is_taken_over_whole(publisher: PublisherFolder, tmp_path: Path) -> None:
    copy, uri = team(publisher, tmp_path)
    of_team(copy, uri, publisher, bundle(tmp_path / "gates"), "add")
    of_team(copy, uri, publisher, None, "withdraw")
    taken(publisher, copy)
    entries = [one.entry for one in logs(publisher)["gates"].entries]
    assert [(entry.action, entry.who) for entry in entries] == [
        ("add", "team@desk"),
        ("withdraw", "team@desk"),
    ]
    assert read_pending(publisher.folder)[-1].action == "accept"
    assert problems(publisher) == []


def test_a_log_that_does_not_continue_the_one_here_is_not_taken(
    publisher: PublisherFolder, tmp_path: Path
) -> None:
    copy, uri = team(publisher, tmp_path)
    of_team(copy, uri, publisher, bundle(tmp_path / "gates"), "add")
    taken(publisher, copy)
    second = tmp_path / "second"
    shutil.copytree(publisher.folder, second)
    (second / "publisher.json").unlink()
    with opened(second, publisher.secrets, [uri]) as publication:
        withdraw(publication, "gates", "tiny", "1.2.3", "blind")
        with publication.edit_targets("gates") as targets:
            del targets.targets["gates/audit.json"]
        publication.publish()
    with pytest.raises(PublishError, match="does not continue the one here"):
        taken(publisher, second)


def test_the_commands(publisher: PublisherFolder, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--repository", str(publisher.folder)]
    command = ["publish", "boards", "stable", "tiny", "1.2.3", "--board", "rpi5", "--as", "Anna", *where]
    assert main(command) == 0
    assert main(["publish", "refresh", "--as", "timer", *where]) == 0
    capsys.readouterr()
    assert main(["publish", "audit", *where]) == 0
    shown = capsys.readouterr().out
    assert "Anna" in shown
    assert "not signed yet" in shown
    assert main(["publish", "audit", "verify", *where]) == 0
    assert "stable: 2 entries" in capsys.readouterr().out
    entries(publisher)[0].unlink()
    assert main(["publish", "audit", "verify", *where]) == 7
    assert "is missing" in capsys.readouterr().err
