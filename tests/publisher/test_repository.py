"""What is served is whole at any moment, and what devices look at is what was signed."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError

from edgeagent.bundle.reading import open_bundle
from edgeagent.delivery.repository.client import Client
from edgeagent.errors import EdgeagentError
from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.opening import opened
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.places import locked
from edgeagent.publisher.release import add_bundle, withdraw
from edgeagent.publisher.roles import KeyFolders, init
from edgeagent.publisher.verification import verify
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.bundle.tiny import ARTEFACT, files
from tests.publisher.publisher_folder import (
    PASSPHRASE,
    Device,
    PublisherFolder,
    bundle,
    plain_key,
    web_server,
)
from tests.small_disk import ROOT, on_small_disk


def at(days: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=days)


def test_it_is_plain_files_with_consistent_snapshots(publisher: PublisherFolder) -> None:
    names = [re.sub(r"[0-9a-f]{64}", "HASH", name) for name in publisher.files()]
    assert sorted(names) == [
        "metadata/1.root.json",
        "metadata/1.snapshot.json",
        "metadata/1.stable.json",
        "metadata/1.targets.json",
        "metadata/2.snapshot.json",
        "metadata/2.targets.json",
        "metadata/timestamp.json",
        "targets/HASH.audit.json",
        "targets/HASH.audit.json",
        "targets/stable/HASH.audit.json",
        "targets/stable/HASH.channel.json",
        "targets/stable/tiny/1.2.3/HASH.manifest.yaml",
        "targets/stable/tiny/1.2.3/engines/HASH.tiny.onnx",
        "targets/stable/tiny/1.2.3/golden/HASH.0.png",
        "targets/stable/tiny/1.2.3/golden/HASH.outputs.npz",
    ]


def test_no_private_key_and_no_place_of_one_is_served(publisher: PublisherFolder) -> None:
    for name, content in publisher.files().items():
        assert b"PRIVATE" not in content, name
        assert str(publisher.keys).encode() not in content, name


def test_a_device_reads_it_from_a_web_server(publisher: PublisherFolder, device: Device) -> None:
    with web_server(publisher.folder / "repository") as address:
        index = device.index(address)
        (release,) = index.releases
        assert device.fetch(address, release.target("stable", ARTEFACT)) == files()[ARTEFACT]
        assert release.files[ARTEFACT] == len(files()[ARTEFACT])  # type: ignore[arg-type]
        assert device.fetch(address, "stable/tiny/9.9.9/manifest.yaml") is None


def test_the_client_of_the_agent_takes_it(publisher: PublisherFolder, tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(publisher.root())
    with web_server(publisher.folder / "repository") as address:
        settings = DeliverySettings(repository=address, root=tmp_path / "root.json")
        client = Client(settings, tmp_path / "metadata")
        (release,) = client.refresh().releases
        for name, size in release.files.items():
            client.fetch(release, name, tmp_path / "slot" / name)
            assert (tmp_path / "slot" / name).stat().st_size == size
    assert open_bundle(tmp_path / "slot").manifest.version == "1.2.3"


def test_a_device_follows_from_state_to_state(
    publisher: PublisherFolder, device: Device, tmp_path: Path
) -> None:
    assert [release.version for release in device.index(publisher.folder).releases] == ["1.2.3"]
    publisher.add(bundle(tmp_path, "1.3.0"))
    assert [release.version for release in device.index(publisher.folder).releases] == ["1.2.3", "1.3.0"]
    publisher.change(lambda p: withdraw(p, "stable", "tiny", "1.2.3", "it sees ghosts"))
    assert [release.withdrawn for release in device.index(publisher.folder).releases] == [
        "it sees ghosts",
        None,
    ]


def test_nothing_is_served_before_it_is_published(publisher: PublisherFolder, tmp_path: Path) -> None:
    before = publisher.files()
    with publisher.opened() as publication:
        add_bundle(publication, bundle(tmp_path, "2.0.0"), "stable", ["any"])
    after = publisher.files()
    assert {name: after[name] for name in before} == before
    assert not [name for name in set(after) - set(before) if name.startswith("metadata")]


def test_after_an_error_nothing_of_it_stays(publisher: PublisherFolder, tmp_path: Path) -> None:
    before = publisher.files()
    (publisher.keys / "targets.pem").unlink()
    with pytest.raises(SigningKeyError, match=r"targets\.pem"):
        publisher.add(bundle(tmp_path, "2.0.0"))
    assert publisher.files() == before
    assert not list((publisher.folder / "staged").glob("*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from edgeagent.publisher import places, repository
from edgeagent.publisher.opening import opened
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.release import add_bundle
from edgeagent.publisher.roles import rotate_key
left = int(sys.argv[3])
def counting(write):
    def written(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return write(*arguments, **named)
    return written
repository.write_state = counting(repository.write_state)
repository.place_target = counting(repository.place_target)
with opened(Path(sys.argv[1]), Secrets()) as publication:
    add_bundle(publication, Path(sys.argv[2]), "stable", ["any"])
    for role in sys.argv[5:]:
        rotate_key(publication, role, sys.argv[4], None, Secrets())
    publication.publish()
"""


@pytest.mark.parametrize("roles", [(), ("timestamp",)])
def test_killed_between_any_two_writes_it_stays_readable(
    publisher: PublisherFolder, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    new, uri = bundle(tmp_path, "2.0.0"), plain_key(tmp_path / "new.pem")
    for writes in range(20):
        command = [sys.executable, "-c", KILLED, str(publisher.folder), str(new), str(writes), uri, *roles]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        index = Device(tmp_path / f"device-{writes}", publisher.root()).index(publisher.folder)
        versions = [release.version for release in index.releases]
        verify(publisher.folder, publisher.root())
        if code == 0:
            break
        assert code == -signal.SIGKILL
        if versions != ["1.2.3"]:  # served already; only the new root was still to come
            assert roles and versions == ["1.2.3", "2.0.0"]
            break
    assert writes >= 8  # five targets, the channel, the snapshot and the timestamp
    assert versions == ["1.2.3", "2.0.0"]


def test_a_full_disk_leaves_what_was_served(tmp_path: Path) -> None:
    """The new release does not fit; that it does not is known before, or only when it is written."""
    disk = tmp_path / "disk"
    disk.mkdir()
    old, new = bundle(tmp_path), bundle(tmp_path, "2.0.0")
    script = f"""
import sys
from pathlib import Path
from edgeagent.delivery.repository.channel import DeliveryError
from edgeagent.publisher import release
from edgeagent.publisher.verification import verify
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.publisher.publisher_folder import PublisherFolder
publisher = PublisherFolder(Path({str(disk)!r}) / "fleet")
publisher.add(Path({str(old)!r}))
before = publisher.files()
filler = Path({str(disk)!r}) / "filler"
try:
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
check_room = release._check_room
for check in (check_room, lambda *arguments: None):
    release._check_room = check
    try:
        publisher.add(Path({str(new)!r}))
    except DeliveryError as error:
        print(error)
    assert publisher.files() == before
release._check_room = check_room
verify(publisher.folder, publisher.root())
filler.unlink()
assert publisher.add(Path({str(new)!r}))
"""
    done = on_small_disk(disk, "400k", [sys.executable, "-c", script])
    assert done.returncode == 0, done.stderr
    assert "bytes, and the disk has 0; nothing was published" in done.stdout
    assert "cannot be written (No space left on device); nothing was published" in done.stdout


def test_only_one_publisher_works_at_a_time(publisher: PublisherFolder) -> None:
    with (
        publisher.opened(),
        pytest.raises(PublishError, match=f"another publisher .process {os.getpid()}. works on it"),
        publisher.opened(),
    ):
        pass
    with locked(publisher.folder):
        pass


def test_a_read_only_folder_is_named(publisher: PublisherFolder, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    metadata = publisher.folder / "repository" / "metadata"
    metadata.chmod(0o500)
    try:
        with pytest.raises(EdgeagentError, match=r"cannot be written .Permission denied"):
            publisher.add(bundle(tmp_path, "2.0.0"))
    finally:
        metadata.chmod(0o700)


def test_what_is_no_repository_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with (
            pytest.raises(PublishError, match="make one with `edgeagent publish init`"),
            opened(folder, Secrets()),
        ):
            pass


def test_init_refuses_what_would_go_wrong(publisher: PublisherFolder, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE, encoding="utf-8")
    secrets = Secrets(secret)
    new = tmp_path / "new"
    with pytest.raises(PublishError, match="exists and is not empty"):
        init(publisher.folder, KeyFolders.below(tmp_path / "keys"), secrets, {}, {}, {})
    with pytest.raises(PublishError, match="private keys belong somewhere else"):
        init(new, KeyFolders.below(new / "keys"), secrets, {}, {}, {})
    with pytest.raises(PublishError, match="root: a threshold of 2 does not go with 1 keys"):
        init(
            new,
            KeyFolders.below(tmp_path / "keys"),
            secrets,
            {"root": [plain_key(tmp_path / "r.pem")]},
            {"root": 2},
            {},
        )
    assert not new.exists()
    assert init(new, KeyFolders.below(tmp_path / "keys"), secrets, {}, {"root": 2}, {"timestamp": 1})
    keys = tmp_path / "keys"
    names = sorted(str(path.relative_to(keys)) for path in keys.glob("*/*[!b].pem"))
    offline = ["offline/root-1.pem", "offline/root-2.pem", "offline/targets.pem"]
    assert names == [*offline, "online/snapshot.pem", "online/timestamp.pem"]
    assert {stat.S_IMODE((keys / name).stat().st_mode) for name in names} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (keys, *keys.iterdir())} == {0o700}
    root = json.loads((new / "repository" / "metadata" / "1.root.json").read_bytes())
    assert len(root["signatures"]) == 2
    assert verify(new, (new / "repository" / "metadata" / "1.root.json").read_bytes()) == []


def test_signatures_expire_and_are_refreshed(publisher: PublisherFolder, tmp_path: Path) -> None:
    days = {"timestamp": 7, "2.snapshot": 7, "2.targets": 365, "1.stable": 365, "1.root": 365}
    for name, count in days.items():
        signed = json.loads(publisher.files()[f"metadata/{name}.json"])["signed"]
        left = datetime.fromisoformat(signed["expires"].replace("Z", "+00:00")) - at(count)
        assert abs(left) < timedelta(minutes=5), name
    with publisher.opened(now=lambda: at(1)) as publication:
        assert publication.publish(refresh=True)
    assert "metadata/3.snapshot.json" not in publisher.files()
    with publisher.opened(now=lambda: at(5)) as publication:
        assert publication.publish(refresh=True)
    assert json.loads(publisher.files()["metadata/timestamp.json"])["signed"]["version"] == 4
    assert "metadata/3.snapshot.json" in publisher.files()
    with publisher.opened() as publication:
        publication.renew("stable")
        assert publication.publish()
        with pytest.raises(PublishError, match="is neither a role nor a channel that is served"):
            publication.renew("gates")
    assert "metadata/2.stable.json" in publisher.files()


def test_an_expired_repository_is_refused_until_it_is_refreshed(tmp_path: Path) -> None:
    publisher = PublisherFolder(tmp_path / "fleet", now=lambda: at(-30))
    device = Device(tmp_path / "device", publisher.root())
    with pytest.raises(ExpiredMetadataError, match=r"timestamp\.json is expired"):
        device.fetch(publisher.folder)
    with pytest.raises(PublishError, match=r"a device refuses it: timestamp\.json is expired"):
        verify(publisher.folder, publisher.root())
    with publisher.opened() as publication:
        assert publication.publish(refresh=True)
    verify(publisher.folder, publisher.root())
    device.fetch(publisher.folder)


@pytest.mark.parametrize(
    "name", ["metadata/timestamp.json", "metadata/2.snapshot.json", "metadata/1.stable.json"]
)
def test_damage_is_named(publisher: PublisherFolder, tmp_path: Path, name: str) -> None:
    path = publisher.folder / "repository" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PublishError, match=f"{name}: is damaged .*restore it from a copy"):
        publisher.add(bundle(tmp_path, "2.0.0"))
