"""Attacks on the way to a device: each is refused by its own message, and leaves what was there before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import TargetFile

from edgeagent.delivery.errors import RefusedError, TooSlowError
from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.repository.client import Client
from edgeagent.errors import DeliveryError
from tests.delivery.conftest import MODEL, QUICK, NewClient
from tests.delivery.server import Server, dripping, endless
from tests.delivery.signed_repository import Repository, altered, in_days

NEW = MODEL[::-1]


class Device:
    """A device that has the first release, and learns of others."""

    def __init__(self, new_client: NewClient, folder: Path) -> None:
        self._new_client = new_client
        self.model = folder / "slot" / "model.onnx"
        self.client = new_client()
        self.known = self.client.refresh()
        self.client.fetch(self.known.releases[0], "model.onnx", self.model)

    def check(self, client: Client | None = None) -> tuple[Channel, bytes]:
        """Do all that leads to the newest release; return the index and the artefact."""
        client = client or self._new_client()
        channel = client.refresh()
        fetched = self.model.with_name("newest.onnx")
        fetched.unlink(missing_ok=True)
        client.fetch(channel.releases[-1], "model.onnx", fetched)
        return channel, fetched.read_bytes()

    def refuses(
        self, why: str, kind: type[DeliveryError] = RefusedError, client: Client | None = None
    ) -> None:
        """See that it refuses, and that all is as before."""
        with pytest.raises(kind, match=why):
            self.check(client)
        assert self.model.read_bytes() == MODEL
        assert not self.model.with_name("newest.onnx").exists()

    def still_knows(self) -> None:
        """See that the index from before the attack verifies still."""
        assert self._new_client().known() == self.known


@pytest.fixture
def device(new_client: NewClient, tmp_path: Path) -> Device:
    return Device(new_client, tmp_path / "device")


@pytest.fixture
def older(repository: Repository, device: Device, tmp_path: Path) -> Path:
    """The metadata before the newest release, which the device has seen."""
    folder = tmp_path / "older"
    shutil.copytree(repository.folder / "metadata", folder)
    repository.add({"model.onnx": NEW}, version="2.0.0")
    device.known, content = device.check()
    assert content == NEW
    device.model.with_name("newest.onnx").unlink()
    return folder


@pytest.fixture
def good_again(repository: Repository, device: Device) -> Callable[[], None]:
    """See that a release of a good repository arrives after the attack."""

    def check() -> None:
        repository.add({"model.onnx": b"after the attack"}, version="9.0.0")
        channel, content = device.check()
        assert (channel.releases[-1].version, content) == ("9.0.0", b"after the attack")

    return check


def newest(repository: Repository) -> Path:
    """The artefact of the newest release in the repository."""
    release = repository.releases["stable"][-1]
    return repository.target_file("stable", release.target("stable", "model.onnx"))


def test_a_changed_artefact(repository: Repository, device: Device, good_again: Callable[[], None]) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0")
    newest(repository).write_bytes(MODEL)
    device.refuses(r"model\.onnx: its sha256 is not that of signed metadata")
    assert not device.model.with_name("newest.onnx.part").exists()
    good_again()


def test_a_changed_index(repository: Repository, device: Device, good_again: Callable[[], None]) -> None:
    file = repository.target_file("stable", "stable/channel.json")
    content = file.read_bytes()
    repository.add({"model.onnx": NEW}, version="2.0.0")
    file = repository.target_file("stable", "stable/channel.json")
    file.write_bytes(content.ljust(file.stat().st_size))
    device.refuses(r"channel\.json: its sha256 is not that of signed metadata")
    good_again()


def test_metadata_that_were_changed(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0")
    timestamp = repository.folder / "metadata" / "timestamp.json"
    altered(timestamp, version=99)
    device.refuses(r"timestamp\.json: refused, .*signed by 0/1 keys: too few signatures")
    device.still_knows()
    good_again()


def test_metadata_that_are_none(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    (repository.folder / "metadata" / "timestamp.json").write_text(
        "<html>log in here</html>", encoding="ascii"
    )
    device.refuses(r"timestamp\.json: refused, it is not metadata of TUF")
    device.still_knows()
    good_again()


def test_metadata_of_one_role_in_the_place_of_another(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    metadata = repository.folder / "metadata"
    repository.add({"model.onnx": NEW}, version="2.0.0")
    shutil.copyfile(metadata / "1.targets.json", metadata / "timestamp.json")
    device.refuses(r"timestamp\.json: refused, Expected 'timestamp', got 'targets'")
    device.still_knows()
    good_again()


def test_an_older_timestamp(
    repository: Repository, device: Device, older: Path, good_again: Callable[[], None]
) -> None:
    shutil.copyfile(older / "timestamp.json", repository.folder / "metadata" / "timestamp.json")
    device.refuses(r"timestamp\.json: refused, New timestamp version 2 must be >= 3: older than")
    device.still_knows()
    good_again()


def test_a_timestamp_that_leads_to_an_older_snapshot(
    repository: Repository, device: Device, older: Path, good_again: Callable[[], None]
) -> None:
    """The key of the timestamp is on-line, and the first that is stolen."""
    stolen = json.loads((older / "timestamp.json").read_bytes())["signed"]["meta"]["snapshot.json"]
    current = repository.timestamp.signed.snapshot_meta
    repository.timestamp.signed.snapshot_meta = type(current).from_dict(stolen)
    repository.timestamp.signed.version += 1
    repository.write_role("timestamp")
    device.refuses(r"timestamp\.json: refused, New snapshot version must be >= 3, got version 2: older than")
    device.still_knows()
    good_again()


def test_a_snapshot_that_leads_to_an_older_channel(
    repository: Repository, device: Device, older: Path, good_again: Callable[[], None]
) -> None:
    """With the keys of timestamp and snapshot an attacker still cannot bring an old release back."""
    (snapshot,) = older.glob("2.snapshot.json")
    meta = repository.snapshot.signed.meta
    kept = meta["stable.json"]
    stolen = json.loads(snapshot.read_bytes())["signed"]["meta"]["stable.json"]
    meta["stable.json"] = type(kept).from_dict(stolen)
    repository.publish()
    device.refuses(r"snapshot\.json: refused, Expected stable\.json version .*: older than")
    meta["stable.json"] = kept
    good_again()


def test_a_freeze(repository: Repository, device: Device, good_again: Callable[[], None]) -> None:
    kept = repository.timestamp.signed.expires
    repository.timestamp.signed.expires = in_days(-0.5)
    repository.publish()
    device.refuses(
        r"refused, timestamp\.json is expired: the repository is not refreshed, or .* are held back"
    )
    repository.timestamp.signed.expires = kept
    good_again()


def test_metadata_from_two_states_of_the_repository(
    repository: Repository, device: Device, older: Path, good_again: Callable[[], None]
) -> None:
    metadata = repository.folder / "metadata"
    repository.add({"model.onnx": NEW}, version="3.0.0")
    shutil.copyfile(older / "2.snapshot.json", metadata / "4.snapshot.json")
    device.refuses(
        r"4\.snapshot\.json: refused, .*: it was changed, or does not belong with the other metadata"
    )
    good_again()


def test_the_metadata_of_a_channel_from_another_state(
    repository: Repository, device: Device, older: Path, good_again: Callable[[], None]
) -> None:
    """Hashes in the snapshot are optional in TUF; the versions alone are enough."""
    metadata = repository.folder / "metadata"
    repository.add({"model.onnx": NEW}, version="3.0.0")
    repository.snapshot.signed.meta["stable.json"].hashes = None
    repository.snapshot.signed.meta["stable.json"].length = None
    repository.publish()
    shutil.copyfile(older / "2.stable.json", metadata / "4.stable.json")
    device.refuses(r"4\.stable\.json: refused, Expected stable v4, got v2\.: older than")
    good_again()


def test_metadata_without_an_end(server: Server, device: Device, good_again: Callable[[], None]) -> None:
    server.answer_always("timestamp.json", endless)
    device.refuses(r"timestamp\.json: refused, it does not end where it may at most")
    device.still_knows()
    server.answer_always("timestamp.json", None)
    good_again()


def test_no_part_is_left_of_a_file_whose_length_the_server_denies(
    repository: Repository, server: Server, device: Device, good_again: Callable[[], None]
) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0")
    newest(repository).write_bytes(NEW + b"more")
    part = device.model.with_name("newest.onnx.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(NEW[:10])
    device.refuses("signed metadata")
    assert not part.exists()
    good_again()


def test_an_artefact_without_an_end(
    repository: Repository, server: Server, device: Device, good_again: Callable[[], None]
) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0")
    server.answer_always("model.onnx", endless)
    device.refuses(rf"model\.onnx: does not end after the {len(NEW)} bytes of signed metadata")
    assert not device.model.with_name("newest.onnx.part").exists()
    server.answer_always("model.onnx", None)
    good_again()


def test_slow_retrieval(
    repository: Repository,
    server: Server,
    device: Device,
    new_client: NewClient,
    good_again: Callable[[], None],
) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0")
    limits = replace(QUICK, slowest=1000.0, over_s=0.3, attempts=2)
    server.answer_always("model.onnx", dripping)
    device.refuses("slower than 1000 bytes/s over 0.3 s", TooSlowError, new_client(limits))
    server.answer_always("model.onnx", None)
    server.answer_always("timestamp.json", dripping)
    device.refuses(r"timestamp\.json: slower than 1000 bytes/s", TooSlowError, new_client(limits))
    server.answer_always("timestamp.json", None)
    good_again()


def two_keys(repository: Repository) -> None:
    """Demand two signatures of the channel."""
    delegations = repository.targets.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    delegations.roles["stable"].threshold = 2


def test_fewer_keys_than_the_threshold(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    second = CryptoSigner.generate_ed25519()
    repository.targets.signed.add_key(second.public_key, "stable")
    two_keys(repository)
    repository.publish("targets", "stable")
    device.refuses(r"stable\.json: refused, stable was signed by 1/2 keys: too few signatures")
    repository.signers["stable"].append(second)
    good_again()


def test_one_signature_given_twice(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    """A second key with the same public part must not count as a second one."""
    first = repository.signers["stable"][0]
    second = CryptoSigner.generate_ed25519()
    repository.targets.signed.add_key(second.public_key, "stable")
    two_keys(repository)
    repository.write_role("targets")
    repository.publish("targets", "stable")
    path = repository.folder / "metadata" / f"{repository.role('stable').signed.version}.stable.json"
    content = json.loads(path.read_bytes())
    (signature,) = content["signatures"]
    content["signatures"] = [signature, {**signature, "keyid": second.public_key.keyid}]
    repository.snapshot.signed.meta["stable.json"].hashes = None
    repository.snapshot.signed.meta["stable.json"].length = None
    repository.publish()
    path.write_text(json.dumps(content), encoding="utf-8")
    device.refuses(r"stable\.json: refused, stable was signed by 1/2 keys")
    repository.signers["stable"] = [first, second]
    repository.publish("stable")
    good_again()


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/job", "/etc/passwd", "golden/../../x", "a\\b", "a//b", "\u202e"]
)
def test_a_name_that_leads_out_of_the_folder(
    repository: Repository, device: Device, name: str, good_again: Callable[[], None]
) -> None:
    """The key of the channel is the attacker's here."""
    repository.add({"model.onnx": NEW}, version="2.0.0", files={"manifest.yaml": 31, name: 10})
    device.refuses(r"the file name .* is not a plain relative path inside the bundle")
    repository.releases["stable"].pop()
    good_again()


def test_a_name_that_is_asked_for_and_leads_out(
    new_client: NewClient, device: Device, tmp_path: Path
) -> None:
    release: Release = device.known.releases[0]
    with pytest.raises(RefusedError, match="is not a plain relative path"):
        new_client().fetch(release, "../model.onnx", tmp_path / "x")
    with pytest.raises(RefusedError, match="the index does not name it"):
        new_client().fetch(release, "other.onnx", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_delegated_key_outside_its_channel(
    repository: Repository, server: Server, new_client: NewClient, tmp_path: Path
) -> None:
    """Who signs for beta lists files of stable: they count for nothing."""
    two = Repository(tmp_path / "two", channels=("stable", "beta"))
    two.add({"model.onnx": MODEL})
    server.folder = two.folder
    repository.trusted.write_bytes(two.trusted.read_bytes())
    device = Device(new_client, tmp_path / "device")
    stable = two.channels["stable"].signed
    for path in list(stable.targets):
        two.channels["beta"].signed.targets[path] = stable.targets.pop(path)
    two.publish("stable", "beta")
    device.refuses(r"no role that may sign stable/channel\.json does")
    two.add({"model.onnx": MODEL}, version="2.0.0")
    device.check()


def test_an_artefact_that_another_role_lists(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    release = repository.add({"model.onnx": NEW}, version="2.0.0")
    path = release.target("stable", "model.onnx")
    kept = repository.channels["stable"].signed.targets.pop(path)
    repository.publish("stable")
    device.refuses(r"stable/coco-nano/2\.0\.0/model\.onnx: no role that may sign it does")
    repository.channels["stable"].signed.targets[path] = kept
    good_again()


def test_an_index_that_contradicts_the_metadata(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    repository.add({"model.onnx": NEW}, version="2.0.0", files={"manifest.yaml": 31, "model.onnx": 5})
    device.refuses(rf"model\.onnx: has 5 bytes by the index, {len(NEW)} by signed metadata")
    good_again()


def test_the_manifest_of_another_release(
    repository: Repository,
    device: Device,
    new_client: NewClient,
    tmp_path: Path,
    good_again: Callable[[], None],
) -> None:
    release = repository.add({"model.onnx": NEW}, version="2.0.0")
    size = release.files["manifest.yaml"]
    repository.write_target("stable", release.target("stable", "manifest.yaml"), b"x" * size)
    repository.publish("stable")
    client = new_client()
    newest = client.refresh().releases[-1]
    with pytest.raises(RefusedError, match=r"manifest\.yaml: is another manifest than the index says"):
        client.fetch(newest, "manifest.yaml", tmp_path / "manifest.yaml")
    good_again()


def test_an_index_of_another_channel(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    repository.write_target(
        "stable", "stable/channel.json", Channel(channel="beta").model_dump_json().encode()
    )
    repository.publish("stable")
    device.refuses(r"is the index of channel beta")
    good_again()


def test_a_hash_that_is_no_hash(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    release = repository.add({"model.onnx": NEW}, version="2.0.0")
    path = release.target("stable", "model.onnx")
    targets = repository.channels["stable"].signed.targets
    targets[path] = TargetFile(len(NEW), {"sha256": "../../../../dev/zero?"}, path)
    repository.publish("stable")
    device.refuses(r"signed metadata give '\.\./\.\./.*' as its sha256; refused")
    del targets[path]
    good_again()


def test_a_root_rotation_with_every_step(repository: Repository, device: Device) -> None:
    for role in ("timestamp", "root", "snapshot", "targets"):
        repository.rotate(role)
    repository.publish("targets")
    assert device.check()[1] == MODEL
    assert device.check()[1] == MODEL


def test_a_root_rotation_with_a_missing_step(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    repository.rotate("timestamp")
    repository.rotate("timestamp")
    repository.publish()
    step = repository.folder / "metadata" / "2.root.json"
    content = step.read_bytes()
    step.unlink()
    device.refuses(r"timestamp\.json: refused, .* 0/1 keys.* every step of the root metadata must be in the")
    shutil.copyfile(step.with_name("3.root.json"), step)
    device.refuses(r"2\.root\.json: refused, Expected root version 2 instead got version 3")
    device.still_knows()
    step.write_bytes(content)
    good_again()


def test_a_root_that_the_old_keys_have_not_signed(
    repository: Repository, device: Device, good_again: Callable[[], None]
) -> None:
    repository.rotate("root")
    mine = repository.folder / "metadata" / "2.root.json"
    content = mine.read_bytes()
    repository.write_root()
    device.refuses(r"2\.root\.json: refused, root was signed by 0/1 keys: too few signatures")
    device.still_knows()
    mine.write_bytes(content)
    good_again()


def test_two_repositories_of_one_device(
    repository: Repository, device: Device, new_client: NewClient, server: Server, tmp_path: Path
) -> None:
    """Another repository is not believed by the root of the first, and is after the root was exchanged."""
    other = Repository(tmp_path / "other")
    other.add({"model.onnx": NEW})
    server.folder = other.folder
    device.refuses(r"timestamp\.json: refused, .*0/1 keys")
    assert device.check(new_client(root=other.trusted))[1] == NEW
