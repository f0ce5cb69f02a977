"""Thresholds, rotation of keys, and channels of other teams."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, TargetFile, Targets

from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.handover import accept
from edgeagent.publisher.keys import read_public_key
from edgeagent.publisher.opening import opened
from edgeagent.publisher.places import metadata_folder, targets_folder
from edgeagent.publisher.release import add_bundle
from edgeagent.publisher.roles import delegate, describe_keys, rotate_key
from edgeagent.publisher.served import read_metadata
from edgeagent.publisher.verification import verify
from tests.bundle.tiny import ARTEFACT
from tests.publisher.publisher_folder import Device, PublisherFolder, bundle, plain_key


def rotate(publisher: PublisherFolder, role: str, uri: str, old: str | None = None) -> bool:
    return publisher.change(lambda p: rotate_key(p, role, uri, old, publisher.secrets))


def key_ids(publisher: PublisherFolder, role: str) -> list[str]:
    md = read_metadata(
        max(metadata_folder(publisher.folder).glob("*.root.json"), key=lambda path: int(path.name[0]))
    )
    return list(md.signed.roles[role].keyids)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_devices_follow_a_new_key(
    publisher: PublisherFolder, device: Device, tmp_path: Path, role: str
) -> None:
    device.fetch(publisher.folder)
    before = key_ids(publisher, role)
    assert rotate(publisher, role, plain_key(tmp_path / "new.pem"))
    assert device.fetch(publisher.folder)
    assert key_ids(publisher, role) != before
    (publisher.keys / f"{role}.pem").unlink()
    assert publisher.add(bundle(tmp_path, "2.0.0"))  # the old key is not needed any more
    assert device.index(publisher.folder).releases[-1].version == "2.0.0"


def test_a_device_that_slept_follows_over_several_roots(publisher: PublisherFolder, tmp_path: Path) -> None:
    for number in range(5):
        rotate(publisher, "root", plain_key(tmp_path / f"root-{number}.pem"))
        rotate(publisher, "timestamp", plain_key(tmp_path / f"timestamp-{number}.pem"))
    assert "metadata/11.root.json" in publisher.files()
    for trusted in (1, 4, 11):
        assert Device(tmp_path / f"device-{trusted}", publisher.root(trusted)).fetch(publisher.folder)
        verify(publisher.folder, publisher.root(trusted))


def test_a_missing_or_forged_step_of_root_is_refused(publisher: PublisherFolder, tmp_path: Path) -> None:
    for number in range(3):
        rotate(publisher, "root", plain_key(tmp_path / f"root-{number}.pem"))
    rotate(publisher, "timestamp", plain_key(tmp_path / "timestamp.pem"))
    with publisher.opened() as publication:
        publication.publish(refresh=True)  # the first one after a rotation has both signatures
    step = metadata_folder(publisher.folder) / "3.root.json"
    kept = step.read_bytes()
    step.unlink()
    with pytest.raises(RepositoryError):  # it stops at root 2, which does not know the new key of timestamp
        Device(tmp_path / "one", publisher.root()).fetch(publisher.folder)
    md = Metadata.from_bytes(kept)
    md.signatures.clear()
    step.write_bytes(md.to_bytes())
    with pytest.raises(UnsignedMetadataError, match="root was signed by 0/1 keys"):
        Device(tmp_path / "two", publisher.root()).fetch(publisher.folder)


def test_every_new_root_is_signed_by_the_old_keys_and_the_new(
    publisher: PublisherFolder, tmp_path: Path
) -> None:
    old = key_ids(publisher, "root")
    rotate(publisher, "root", plain_key(tmp_path / "new.pem"))
    signed = {signature["keyid"] for signature in json.loads(publisher.root(2))["signatures"]}
    assert signed == {*old, *key_ids(publisher, "root")}


def test_a_lost_online_key_is_replaced_without_it(
    publisher: PublisherFolder, device: Device, tmp_path: Path
) -> None:
    device.fetch(publisher.folder)
    (publisher.keys / "timestamp.pem").unlink()
    (publisher.keys / "snapshot.pem").unlink()
    with publisher.opened() as publication:
        for role in ("snapshot", "timestamp"):
            rotate_key(publication, role, plain_key(tmp_path / f"{role}.pem"), None, publisher.secrets)
        assert publication.publish()
    assert device.fetch(publisher.folder)


def test_a_lost_root_key_stops_everything_about_root(publisher: PublisherFolder, tmp_path: Path) -> None:
    (publisher.keys / "root.pem").unlink()
    before = publisher.files()
    with pytest.raises(SigningKeyError, match=r"root\.pem"):
        rotate(publisher, "root", plain_key(tmp_path / "new.pem"))
    assert publisher.files() == before
    assert publisher.add(bundle(tmp_path, "2.0.0"))


def test_a_new_key_of_targets_signs_the_channels_that_the_old_one_signed(
    publisher: PublisherFolder, tmp_path: Path
) -> None:
    team = plain_key(tmp_path / "team.pem")
    publisher.change(lambda p: delegate(p, "gates", [read_public_key(tmp_path / "team.pub")], 1))
    publisher.add(bundle(tmp_path, "2.0.0"), "gates", team)
    rotate(publisher, "targets", plain_key(tmp_path / "new.pem"))
    with publisher.opened() as publication:
        roles = publication.targets().delegations.roles  # type: ignore[union-attr]
        assert roles["stable"].keyids == publication.root().roles["targets"].keyids  # type: ignore[index]
        assert roles["gates"].keyids == [read_public_key(tmp_path / "team.pub").keyid]  # type: ignore[index]
    verify(publisher.folder, publisher.root())


def test_which_key_goes_is_asked_where_there_are_several(tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / f"{name}.pem") for name in "ab"]
    publisher = PublisherFolder(tmp_path / "fleet", {"root": 2}, {"root": uris})
    with pytest.raises(PublishError, match="root: say with --old which of its keys goes"):
        rotate(publisher, "root", plain_key(tmp_path / "c.pem"))
    leaving = read_public_key(tmp_path / "a.pub").keyid
    assert rotate(publisher, "root", f"file2:{tmp_path / 'c.pem'}", leaving[:10])
    assert set(key_ids(publisher, "root")) == {
        read_public_key(tmp_path / f"{name}.pub").keyid for name in "bc"
    }
    with pytest.raises(PublishError, match="gates: is neither a role"):
        rotate(publisher, "gates", plain_key(tmp_path / "d.pem"))
    verify(publisher.folder, publisher.root())


class Copy(PublisherFolder):
    """A copy of a publisher in other hands: without its private keys."""

    def __init__(self, publisher: PublisherFolder, folder: Path) -> None:
        shutil.copytree(publisher.folder, folder)
        (folder / "publisher.json").unlink(missing_ok=True)
        self.folder, self.secrets = folder, publisher.secrets


def sign(publisher: PublisherFolder, role: str, *keys: str) -> bool:
    with publisher.opened(*keys) as publication:
        assert publication.add_signatures(role)
        return publication.publish()


def take(publisher: PublisherFolder, other: PublisherFolder) -> bool:
    return publisher.change(lambda p: accept(p, other.folder))


def test_root_of_several_holders_is_signed_in_turn(tmp_path: Path) -> None:
    """Two of three must sign; one of them is here, the others are elsewhere."""
    uris = {name: plain_key(tmp_path / f"{name}.pem") for name in ("alice", "bob", "carol")}
    given = [uris["alice"], *(str(tmp_path / f"{name}.pub") for name in ("bob", "carol"))]
    publisher = PublisherFolder(tmp_path / "fleet", {"root": 2}, {"root": given})
    assert not publisher.served
    assert not [name for name in publisher.files() if name.startswith("metadata/")]
    assert not take(publisher, publisher)  # handing over one's own adds nothing
    bob = Copy(publisher, tmp_path / "bob")
    sign(bob, "root", uris["bob"])
    assert take(publisher, bob)
    assert verify(publisher.folder, publisher.root()) == []
    assert not list((publisher.folder / "staged").iterdir())
    assert publisher.add(bundle(tmp_path))  # needs no root key

    new = plain_key(tmp_path / "dave.pem")
    bobs = read_public_key(tmp_path / "bob.pub").keyid
    assert not rotate(publisher, "root", new, bobs)
    with publisher.opened() as publication:
        lines = list(describe_keys("root", publication.staged["root"]))
        assert lines[1].startswith("  root: 2 of 3: ")
        assert [result.missing for result in publication.missing("root")] == [1]
    assert "metadata/2.root.json" not in publisher.files()
    carol = Copy(publisher, tmp_path / "carol")
    sign(carol, "root", uris["carol"])
    assert take(publisher, carol)
    assert "metadata/2.root.json" in publisher.files()
    verify(publisher.folder, publisher.root())


def test_two_edits_that_wait_become_one(tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / "alice.pem"), plain_key(tmp_path / "bob.pem")]
    publisher = PublisherFolder(tmp_path / "fleet", {"root": 2}, {"root": [uris[0], uris[1]]})
    (tmp_path / "bob.pem").rename(tmp_path / "away.pem")
    config = publisher.folder / "publisher.json"
    data = json.loads(config.read_bytes())
    data["signers"] = {keyid: uri for keyid, uri in data["signers"].items() if "bob" not in uri}
    config.write_text(json.dumps(data), encoding="utf-8")
    assert not rotate(publisher, "snapshot", plain_key(tmp_path / "s.pem"))
    assert not rotate(publisher, "timestamp", plain_key(tmp_path / "t.pem"))
    assert sign(publisher, "root", f"file2:{tmp_path / 'away.pem'}")
    assert "metadata/3.root.json" not in publisher.files()
    for role, name in (("snapshot", "s"), ("timestamp", "t")):
        assert key_ids(publisher, role) == [read_public_key(tmp_path / f"{name}.pub").keyid]
    verify(publisher.folder, publisher.root())


@pytest.fixture
def team(publisher: PublisherFolder, tmp_path: Path) -> tuple[Copy, str]:
    """Another team with the channel gates, its copy of the repository and its key."""
    uri = plain_key(tmp_path / "team.pem")
    assert publisher.change(lambda p: delegate(p, "gates", [read_public_key(tmp_path / "team.pub")], 1))
    return Copy(publisher, tmp_path / "copy"), uri


def test_another_team_publishes_in_its_channel(
    publisher: PublisherFolder, device: Device, team: tuple[Copy, str], tmp_path: Path
) -> None:
    copy, uri = team
    assert verify(publisher.folder, publisher.root())[1].index is None
    assert device.fetch(publisher.folder)
    with pytest.raises(RepositoryError, match="gates was delegated but is not part of snapshot"):
        device.fetch(publisher.folder, "gates/channel.json")
    assert not copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)  # nobody there signs snapshot and timestamp
    assert take(publisher, copy)
    (release,) = device.index(publisher.folder, "gates").releases
    assert device.fetch(publisher.folder, release.target("gates", ARTEFACT))
    assert [r.version for r in device.index(publisher.folder).releases] == ["1.2.3"]
    verify(publisher.folder, publisher.root())
    with opened(copy.folder, publisher.secrets) as publication:
        assert list(publication.staged) == ["gates"]


def test_a_channel_that_exists_goes_over_when_its_new_keys_have_signed(
    publisher: PublisherFolder, tmp_path: Path
) -> None:
    uri = plain_key(tmp_path / "team.pem")
    before = publisher.files()
    assert not publisher.change(lambda p: delegate(p, "stable", [read_public_key(tmp_path / "team.pub")], 1))
    after = publisher.files()
    assert {name: after[name] for name in before} == before
    assert all(name.endswith(".audit.json") for name in set(after) - set(before))  # of what is staged
    copy = Copy(publisher, tmp_path / "copy")
    sign(copy, "stable", uri)
    assert take(publisher, copy)
    (found,) = verify(publisher.folder, publisher.root())
    assert found.index is not None
    assert not publisher.add(bundle(tmp_path, "2.0.0"))  # it is not ours any more


def test_a_team_of_two_signs_in_turn(publisher: PublisherFolder, tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / f"{name}.pem") for name in "ab"]
    keys = [read_public_key(tmp_path / f"{name}.pub") for name in "ab"]
    publisher.change(lambda p: delegate(p, "gates", keys, 2))
    first = Copy(publisher, tmp_path / "first")
    first.add(bundle(tmp_path, "5.0.0"), "gates", uris[0])
    with publisher.opened() as publication:
        accept(publication, first.folder)
        assert not publication.publish()  # one of two
    second = Copy(first, tmp_path / "second")
    sign(second, "gates", uris[1])
    assert take(publisher, second)
    assert verify(publisher.folder, publisher.root())[1].index is not None


def forge(copy: Copy, uri: str, targets: Targets) -> None:
    """Sign what the tools would not: the team's key is in bad hands."""
    with copy.opened(uri) as publication:
        with publication.edit_targets("gates") as signed:
            signed.targets = targets.targets
        publication.publish()


def test_a_key_is_worth_nothing_outside_its_channel(
    publisher: PublisherFolder, device: Device, team: tuple[Copy, str], tmp_path: Path
) -> None:
    copy, uri = team
    copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)
    assert take(publisher, copy)
    genuine = device.fetch(publisher.folder)
    copy = Copy(publisher, tmp_path / "copy-2")
    evil = TargetFile.from_data("stable/channel.json", b"evil")
    extra = TargetFile.from_data("stable/evil", b"evil")
    forge(copy, uri, Targets(targets={evil.path: evil, extra.path: extra}))
    with pytest.raises(PublishError, match=r"the channel gates may not hold stable/channel\.json"):
        take(publisher, copy)
    # even when whoever holds the online keys is careless, devices do not look there
    with publisher.opened() as publication:
        publication.merge("gates", read_metadata(copy.folder / "staged" / "gates.json"))
        assert publication.publish()
    (targets_folder(publisher.folder) / evil.get_prefixed_paths()[0]).write_bytes(b"evil")
    assert device.fetch(publisher.folder) == genuine
    assert device.fetch(publisher.folder, "stable/evil") is None


def test_what_is_handed_over_must_be_right(
    publisher: PublisherFolder, team: tuple[Copy, str], tmp_path: Path
) -> None:
    copy, uri = team
    before = publisher.files()
    with pytest.raises(PublishError, match="holds nothing new to accept"):
        take(publisher, copy)
    copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)
    staged = copy.folder / "staged" / "gates.json"
    signed = staged.read_bytes()
    (artefact,) = targets_folder(copy.folder).glob("gates/**/*.tiny.onnx")
    genuine = artefact.read_bytes()
    artefact.write_bytes(genuine.replace(b"not", b"NOT"))
    with pytest.raises(PublishError, match=r"tiny\.onnx: is not what was signed"):
        take(publisher, copy)
    artefact.unlink()
    with pytest.raises(PublishError, match=r"cannot be read .*; hand the whole folder over"):
        take(publisher, copy)
    artefact.write_bytes(genuine)
    md = Metadata.from_bytes(signed)
    md.signatures.clear()
    staged.write_bytes(md.to_bytes())
    with pytest.raises(PublishError, match="the staged gates has no valid signature"):
        take(publisher, copy)
    stranger = plain_key(tmp_path / "stranger.pem")
    staged.unlink()
    with copy.opened(stranger) as publication:
        add_bundle(publication, tmp_path / "tiny-5.0.0", "gates", ["any"])
        publication.publish()
    with pytest.raises(PublishError, match="the staged gates has no valid signature"):
        take(publisher, copy)
    assert publisher.files() == before
    staged.write_bytes(signed)
    assert take(publisher, copy)
    staged.write_bytes(signed)
    with pytest.raises(PublishError, match="gates: version 1 does not follow what is here"):
        take(publisher, copy)


def test_signing_needs_something_that_waits(publisher: PublisherFolder) -> None:
    with pytest.raises(PublishError, match="root: nothing waits for signatures"):
        sign(publisher, "root")
