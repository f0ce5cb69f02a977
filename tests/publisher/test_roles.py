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
from tests.publisher.desk import Desk, Device, bundle, plain_key


def rotate(desk: Desk, role: str, uri: str, old: str | None = None) -> bool:
    return desk.change(lambda p: rotate_key(p, role, uri, old, desk.secrets))


def key_ids(desk: Desk, role: str) -> list[str]:
    md = read_metadata(
        max(metadata_folder(desk.folder).glob("*.root.json"), key=lambda path: int(path.name[0]))
    )
    return list(md.signed.roles[role].keyids)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_devices_follow_a_new_key(desk: Desk, device: Device, tmp_path: Path, role: str) -> None:
    device.look(desk.folder)
    before = key_ids(desk, role)
    assert rotate(desk, role, plain_key(tmp_path / "new.pem"))
    assert device.look(desk.folder)
    assert key_ids(desk, role) != before
    (desk.keys / f"{role}.pem").unlink()
    assert desk.add(bundle(tmp_path, "2.0.0"))  # the old key is not needed any more
    assert device.index(desk.folder).releases[-1].version == "2.0.0"


def test_a_device_that_slept_follows_over_several_roots(desk: Desk, tmp_path: Path) -> None:
    for number in range(5):
        rotate(desk, "root", plain_key(tmp_path / f"root-{number}.pem"))
        rotate(desk, "timestamp", plain_key(tmp_path / f"timestamp-{number}.pem"))
    assert "metadata/11.root.json" in desk.files()
    for trusted in (1, 4, 11):
        assert Device(tmp_path / f"device-{trusted}", desk.root(trusted)).look(desk.folder)
        verify(desk.folder, desk.root(trusted))


def test_a_missing_or_forged_step_of_root_is_refused(desk: Desk, tmp_path: Path) -> None:
    for number in range(3):
        rotate(desk, "root", plain_key(tmp_path / f"root-{number}.pem"))
    rotate(desk, "timestamp", plain_key(tmp_path / "timestamp.pem"))
    with desk.opened() as publication:
        publication.publish(refresh=True)  # the first one after a rotation has both signatures
    step = metadata_folder(desk.folder) / "3.root.json"
    kept = step.read_bytes()
    step.unlink()
    with pytest.raises(RepositoryError):  # it stops at root 2, which does not know the new key of timestamp
        Device(tmp_path / "one", desk.root()).look(desk.folder)
    md = Metadata.from_bytes(kept)
    md.signatures.clear()
    step.write_bytes(md.to_bytes())
    with pytest.raises(UnsignedMetadataError, match="root was signed by 0/1 keys"):
        Device(tmp_path / "two", desk.root()).look(desk.folder)


def test_every_new_root_is_signed_by_the_old_keys_and_the_new(desk: Desk, tmp_path: Path) -> None:
    old = key_ids(desk, "root")
    rotate(desk, "root", plain_key(tmp_path / "new.pem"))
    signed = {signature["keyid"] for signature in json.loads(desk.root(2))["signatures"]}
    assert signed == {*old, *key_ids(desk, "root")}


def test_a_lost_online_key_is_replaced_without_it(desk: Desk, device: Device, tmp_path: Path) -> None:
    device.look(desk.folder)
    (desk.keys / "timestamp.pem").unlink()
    (desk.keys / "snapshot.pem").unlink()
    with desk.opened() as publication:
        for role in ("snapshot", "timestamp"):
            rotate_key(publication, role, plain_key(tmp_path / f"{role}.pem"), None, desk.secrets)
        assert publication.publish()
    assert device.look(desk.folder)


def test_a_lost_root_key_stops_everything_about_root(desk: Desk, tmp_path: Path) -> None:
    (desk.keys / "root.pem").unlink()
    before = desk.files()
    with pytest.raises(SigningKeyError, match=r"root\.pem"):
        rotate(desk, "root", plain_key(tmp_path / "new.pem"))
    assert desk.files() == before
    assert desk.add(bundle(tmp_path, "2.0.0"))


def test_a_new_key_of_targets_signs_the_channels_that_the_old_one_signed(desk: Desk, tmp_path: Path) -> None:
    team = plain_key(tmp_path / "team.pem")
    desk.change(lambda p: delegate(p, "gates", [read_public_key(tmp_path / "team.pub")], 1))
    desk.add(bundle(tmp_path, "2.0.0"), "gates", team)
    rotate(desk, "targets", plain_key(tmp_path / "new.pem"))
    with desk.opened() as publication:
        roles = publication.targets().delegations.roles  # type: ignore[union-attr]
        assert roles["stable"].keyids == publication.root().roles["targets"].keyids  # type: ignore[index]
        assert roles["gates"].keyids == [read_public_key(tmp_path / "team.pub").keyid]  # type: ignore[index]
    verify(desk.folder, desk.root())


def test_which_key_goes_is_asked_where_there_are_several(tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / f"{name}.pem") for name in "ab"]
    desk = Desk(tmp_path / "fleet", {"root": 2}, {"root": uris})
    with pytest.raises(PublishError, match="root: say with --old which of its keys goes"):
        rotate(desk, "root", plain_key(tmp_path / "c.pem"))
    leaving = read_public_key(tmp_path / "a.pub").keyid
    assert rotate(desk, "root", f"file2:{tmp_path / 'c.pem'}", leaving[:10])
    assert set(key_ids(desk, "root")) == {read_public_key(tmp_path / f"{name}.pub").keyid for name in "bc"}
    with pytest.raises(PublishError, match="gates: is neither a role"):
        rotate(desk, "gates", plain_key(tmp_path / "d.pem"))
    verify(desk.folder, desk.root())


class Copy(Desk):
    """A copy of a desk in other hands: without its private keys."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        shutil.copytree(desk.folder, folder)
        (folder / "publisher.json").unlink(missing_ok=True)
        self.folder, self.secrets = folder, desk.secrets


def sign(desk: Desk, role: str, *keys: str) -> bool:
    with desk.opened(*keys) as publication:
        assert publication.add_signatures(role)
        return publication.publish()


def take(desk: Desk, other: Desk) -> bool:
    return desk.change(lambda p: accept(p, other.folder))


def test_root_of_several_holders_is_signed_in_turn(tmp_path: Path) -> None:
    """Two of three must sign; one of them is here, the others are elsewhere."""
    uris = {name: plain_key(tmp_path / f"{name}.pem") for name in ("alice", "bob", "carol")}
    given = [uris["alice"], *(str(tmp_path / f"{name}.pub") for name in ("bob", "carol"))]
    desk = Desk(tmp_path / "fleet", {"root": 2}, {"root": given})
    assert not desk.served
    assert not desk.files()
    assert not take(desk, desk)  # handing over one's own adds nothing
    bob = Copy(desk, tmp_path / "bob")
    sign(bob, "root", uris["bob"])
    assert take(desk, bob)
    assert verify(desk.folder, desk.root()) == []
    assert not list((desk.folder / "staged").iterdir())
    assert desk.add(bundle(tmp_path))  # needs no root key

    new = plain_key(tmp_path / "dave.pem")
    bobs = read_public_key(tmp_path / "bob.pub").keyid
    assert not rotate(desk, "root", new, bobs)
    with desk.opened() as publication:
        lines = list(describe_keys("root", publication.staged["root"]))
        assert lines[1].startswith("  root: 2 of 3: ")
        assert [result.missing for result in publication.missing("root")] == [1]
    assert "metadata/2.root.json" not in desk.files()
    carol = Copy(desk, tmp_path / "carol")
    sign(carol, "root", uris["carol"])
    assert take(desk, carol)
    assert "metadata/2.root.json" in desk.files()
    verify(desk.folder, desk.root())


def test_two_edits_that_wait_become_one(tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / "alice.pem"), plain_key(tmp_path / "bob.pem")]
    desk = Desk(tmp_path / "fleet", {"root": 2}, {"root": [uris[0], uris[1]]})
    (tmp_path / "bob.pem").rename(tmp_path / "away.pem")
    config = desk.folder / "publisher.json"
    data = json.loads(config.read_bytes())
    data["signers"] = {keyid: uri for keyid, uri in data["signers"].items() if "bob" not in uri}
    config.write_text(json.dumps(data), encoding="utf-8")
    assert not rotate(desk, "snapshot", plain_key(tmp_path / "s.pem"))
    assert not rotate(desk, "timestamp", plain_key(tmp_path / "t.pem"))
    assert sign(desk, "root", f"file2:{tmp_path / 'away.pem'}")
    assert "metadata/3.root.json" not in desk.files()
    for role, name in (("snapshot", "s"), ("timestamp", "t")):
        assert key_ids(desk, role) == [read_public_key(tmp_path / f"{name}.pub").keyid]
    verify(desk.folder, desk.root())


@pytest.fixture
def team(desk: Desk, tmp_path: Path) -> tuple[Copy, str]:
    """Another team with the channel gates, its copy of the repository and its key."""
    uri = plain_key(tmp_path / "team.pem")
    assert desk.change(lambda p: delegate(p, "gates", [read_public_key(tmp_path / "team.pub")], 1))
    return Copy(desk, tmp_path / "copy"), uri


def test_another_team_publishes_in_its_channel(
    desk: Desk, device: Device, team: tuple[Copy, str], tmp_path: Path
) -> None:
    copy, uri = team
    assert verify(desk.folder, desk.root())[1].index is None
    assert device.look(desk.folder)
    with pytest.raises(RepositoryError, match="gates was delegated but is not part of snapshot"):
        device.look(desk.folder, "gates/channel.json")
    assert not copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)  # nobody there signs snapshot and timestamp
    assert take(desk, copy)
    (release,) = device.index(desk.folder, "gates").releases
    assert device.look(desk.folder, release.target("gates", ARTEFACT))
    assert [r.version for r in device.index(desk.folder).releases] == ["1.2.3"]
    verify(desk.folder, desk.root())
    with opened(copy.folder, desk.secrets) as publication:
        assert list(publication.staged) == ["gates"]


def test_a_channel_that_exists_goes_over_when_its_new_keys_have_signed(desk: Desk, tmp_path: Path) -> None:
    uri = plain_key(tmp_path / "team.pem")
    before = desk.files()
    assert not desk.change(lambda p: delegate(p, "stable", [read_public_key(tmp_path / "team.pub")], 1))
    assert desk.files() == before
    copy = Copy(desk, tmp_path / "copy")
    sign(copy, "stable", uri)
    assert take(desk, copy)
    (found,) = verify(desk.folder, desk.root())
    assert found.index is not None
    assert not desk.add(bundle(tmp_path, "2.0.0"))  # it is not ours any more


def test_a_team_of_two_signs_in_turn(desk: Desk, tmp_path: Path) -> None:
    uris = [plain_key(tmp_path / f"{name}.pem") for name in "ab"]
    keys = [read_public_key(tmp_path / f"{name}.pub") for name in "ab"]
    desk.change(lambda p: delegate(p, "gates", keys, 2))
    first = Copy(desk, tmp_path / "first")
    first.add(bundle(tmp_path, "5.0.0"), "gates", uris[0])
    with desk.opened() as publication:
        accept(publication, first.folder)
        assert not publication.publish()  # one of two
    second = Copy(first, tmp_path / "second")
    sign(second, "gates", uris[1])
    assert take(desk, second)
    assert verify(desk.folder, desk.root())[1].index is not None


def forge(copy: Copy, uri: str, targets: Targets) -> None:
    """Sign what the tools would not: the team's key is in bad hands."""
    with copy.opened(uri) as publication:
        with publication.edit_targets("gates") as signed:
            signed.targets = targets.targets
        publication.publish()


def test_a_key_is_worth_nothing_outside_its_channel(
    desk: Desk, device: Device, team: tuple[Copy, str], tmp_path: Path
) -> None:
    copy, uri = team
    copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)
    assert take(desk, copy)
    genuine = device.look(desk.folder)
    copy = Copy(desk, tmp_path / "copy-2")
    evil = TargetFile.from_data("stable/channel.json", b"evil")
    extra = TargetFile.from_data("stable/evil", b"evil")
    forge(copy, uri, Targets(targets={evil.path: evil, extra.path: extra}))
    with pytest.raises(PublishError, match=r"the channel gates may not hold stable/channel\.json"):
        take(desk, copy)
    # even when whoever holds the online keys is careless, devices do not look there
    with desk.opened() as publication:
        publication.merge("gates", read_metadata(copy.folder / "staged" / "gates.json"))
        assert publication.publish()
    (targets_folder(desk.folder) / evil.get_prefixed_paths()[0]).write_bytes(b"evil")
    assert device.look(desk.folder) == genuine
    assert device.look(desk.folder, "stable/evil") is None


def test_what_is_handed_over_must_be_right(desk: Desk, team: tuple[Copy, str], tmp_path: Path) -> None:
    copy, uri = team
    before = desk.files()
    with pytest.raises(PublishError, match="nothing is there to be accepted"):
        take(desk, copy)
    copy.add(bundle(tmp_path, "5.0.0"), "gates", uri)
    staged = copy.folder / "staged" / "gates.json"
    signed = staged.read_bytes()
    (artefact,) = targets_folder(copy.folder).glob("gates/**/*.tiny.onnx")
    genuine = artefact.read_bytes()
    artefact.write_bytes(genuine.replace(b"not", b"NOT"))
    with pytest.raises(PublishError, match=r"tiny\.onnx: is not what was signed"):
        take(desk, copy)
    artefact.unlink()
    with pytest.raises(PublishError, match=r"cannot be read .*; hand the whole folder over"):
        take(desk, copy)
    artefact.write_bytes(genuine)
    md = Metadata.from_bytes(signed)
    md.signatures.clear()
    staged.write_bytes(md.to_bytes())
    with pytest.raises(PublishError, match="nobody who may sign gates has signed"):
        take(desk, copy)
    stranger = plain_key(tmp_path / "stranger.pem")
    staged.unlink()
    with copy.opened(stranger) as publication:
        add_bundle(publication, tmp_path / "tiny-5.0.0", "gates", ["any"])
        publication.publish()
    with pytest.raises(PublishError, match="nobody who may sign gates has signed"):
        take(desk, copy)
    assert desk.files() == before
    staged.write_bytes(signed)
    assert take(desk, copy)
    staged.write_bytes(signed)
    with pytest.raises(PublishError, match="gates: version 1 does not follow what is here"):
        take(desk, copy)


def test_signing_needs_something_that_waits(desk: Desk) -> None:
    with pytest.raises(PublishError, match="root: nothing waits for signatures"):
        sign(desk, "root")
