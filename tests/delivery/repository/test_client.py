"""What a client does apart from faults and attacks: folders, the time, the disk, what is known."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from edgeagent.delivery.errors import MissingError, RefusedError, UnreachableError, WrongClockError
from edgeagent.delivery.repository.client import Client
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.conftest import MODEL, QUICK, NewClient
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository, in_days
from tests.small_disk import on_small_disk

NOW = datetime.now(timezone.utc)


def device(made: Repository, folder: Path, now: datetime = NOW, **settings: object) -> Client:
    """A client of the folder of the repository, with a clock of its own."""
    values = {"repository": str(made.folder), "root": made.trusted, **settings}
    return Client(DeliverySettings.model_validate(values), folder / "metadata", lambda: now, QUICK)


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_a_folder(repository: Repository, tmp_path: Path, form: str) -> None:
    """Such as a stick that somebody carries to the site."""
    stick = tmp_path / "stick with 100%"
    shutil.copytree(repository.folder, stick)
    address = form.format(str(stick) if form.startswith("{}") else stick.as_uri().removeprefix("file://"))
    client = device(repository, tmp_path, repository=address)
    release = client.refresh().releases[-1]
    target = tmp_path / "model.onnx"
    target.with_name("model.onnx.part").write_bytes(MODEL[:1000])
    client.fetch(release, "model.onnx", target)
    assert target.read_bytes() == MODEL
    (file,) = stick.glob("targets/stable/coco-nano/1.0.0/*.manifest.yaml")
    file.unlink()
    with pytest.raises(MissingError, match=r"manifest\.yaml: is missing from the repository"):
        client.fetch(release, "manifest.yaml", tmp_path / "manifest.yaml")
    os.mkfifo(file)
    with pytest.raises(MissingError, match=r"manifest\.yaml: is not a file"):
        client.fetch(release, "manifest.yaml", tmp_path / "manifest.yaml")


def test_a_folder_that_is_not_there(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(
        UnreachableError, match=r"timestamp\.json: is missing .*; the repository is not complete"
    ):
        device(repository, tmp_path, repository=str(tmp_path / "not mounted")).refresh()


def test_file_names_with_unusual_characters(
    repository: Repository, server: Server, new_client: NewClient, tmp_path: Path
) -> None:
    name = "golden/50% of #1?.jpg"
    repository.add({name: b"picture"}, version="2.0.0")
    for client in (new_client(), device(repository, tmp_path)):
        release = client.refresh().releases[-1]
        client.fetch(release, name, tmp_path / "picture.jpg")
        assert (tmp_path / "picture.jpg").read_bytes() == b"picture"
        (tmp_path / "picture.jpg").unlink()


def test_a_repository_without_consistent_snapshots(repository: Repository, tmp_path: Path) -> None:
    repository.root.signed.consistent_snapshot = False
    repository.root.signed.version += 1
    repository.write_root()
    metadata = repository.folder / "metadata"
    for role in ("snapshot", "targets", "stable"):
        version = repository.role(role).signed.version
        shutil.copyfile(metadata / f"{version}.{role}.json", metadata / f"{role}.json")
    for path in repository.channels["stable"].signed.targets:
        repository.target_file("stable", path).rename(repository.folder / "targets" / path)
    client = device(repository, tmp_path)
    client.fetch(client.refresh().releases[-1], "model.onnx", tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == MODEL


def test_what_is_known_without_the_network(
    repository: Repository, new_client: NewClient, server: Server
) -> None:
    assert new_client().known() is None
    channel = new_client().refresh()
    server.asked.clear()
    assert new_client().known() == channel
    assert server.asked == []
    with pytest.raises(RefusedError, match=r"no role that may sign other/channel\.json does"):
        new_client(channel="other").refresh()
    assert new_client(channel="other").known() is None
    assert new_client().known() == channel


def test_what_is_known_was_changed_or_has_expired(repository: Repository, tmp_path: Path) -> None:
    client = device(repository, tmp_path)
    client.refresh()
    index = tmp_path / "metadata" / "index" / "stable.json"
    kept = index.read_bytes()
    index.write_bytes(kept.replace(b"1.0.0", b"6.6.6"))
    assert device(repository, tmp_path).known() is None
    index.write_bytes(kept)
    assert device(repository, tmp_path).known() is not None
    repository.channels["stable"].signed.expires = in_days(-1)
    repository.publish("stable")
    with pytest.raises(RefusedError, match="New stable is expired"):
        client.refresh()
    assert device(repository, tmp_path).known() is None


def test_damaged_metadata_on_the_device(repository: Repository, tmp_path: Path) -> None:
    """Files that a power cut emptied are fetched again."""
    channel = device(repository, tmp_path).refresh()
    for file in (tmp_path / "metadata").rglob("*.json"):
        file.write_bytes(b"")
    (tmp_path / "metadata" / "tmpinterrupted").write_bytes(b"half")
    assert device(repository, tmp_path).known() is None
    assert device(repository, tmp_path).refresh() == channel
    assert not (tmp_path / "metadata" / "tmpinterrupted").exists()


def test_the_trusted_root(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"root\.json: the trusted root cannot be read \(No such file"):
        device(repository, tmp_path, root=tmp_path / "root.json").refresh()
    (tmp_path / "root.json").write_text("{}", encoding="ascii")
    with pytest.raises(DeliveryError, match=r"root\.json: is not trusted root metadata"):
        device(repository, tmp_path, root=tmp_path / "root.json").refresh()
    timestamp = repository.folder / "metadata" / "timestamp.json"
    with pytest.raises(DeliveryError, match=r"timestamp\.json: is not trusted root metadata"):
        device(repository, tmp_path, root=timestamp).refresh()


def test_a_channel_that_is_named_as_a_role(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"delivery\.channel: snapshot is a role of TUF"):
        device(repository, tmp_path, channel="snapshot")


def test_an_index_for_a_newer_program(repository: Repository, tmp_path: Path) -> None:
    repository.write_target("stable", "stable/channel.json", b'{"schema_version": 2, "channel": "stable"}')
    repository.publish("stable")
    with pytest.raises(
        DeliveryError, match=r"channel\.json: schema_version: .*it may need a newer edgeagent"
    ):
        device(repository, tmp_path).refresh()


def test_a_check_without_a_change(new_client: NewClient, server: Server) -> None:
    new_client().refresh()
    server.asked.clear()
    new_client().refresh()
    assert [asked.path for asked in server.asked] == ["/metadata/2.root.json", "/metadata/timestamp.json"]


def test_fetching_after_a_new_start(repository: Repository, new_client: NewClient, tmp_path: Path) -> None:
    """The client of a new process brings the metadata up to date by itself."""
    release = new_client().refresh().releases[-1]
    new_client().fetch(release, "model.onnx", tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("year", [1970, 2025])
def test_a_clock_before_the_release(repository: Repository, tmp_path: Path, year: int) -> None:
    clock = datetime(year, 1, 1, 0, 5, tzinfo=timezone.utc)
    with pytest.raises(
        WrongClockError, match=f"shows {year}-01-01 00:05 UTC, but this program was released after"
    ):
        device(repository, tmp_path, clock).refresh()
    device(repository, tmp_path).refresh()
    assert device(repository, tmp_path, clock).known() is not None


def test_a_clock_before_what_was_seen(repository: Repository, tmp_path: Path) -> None:
    device(repository, tmp_path).refresh()
    device(repository, tmp_path, NOW - timedelta(hours=20)).refresh()
    timestamp = tmp_path / "metadata" / "timestamp.json"
    later = (NOW + timedelta(days=3)).timestamp()
    os.utime(timestamp, (later, later))
    with pytest.raises(WrongClockError, match="but metadata were verified here at"):
        device(repository, tmp_path).refresh()
    never = (NOW + timedelta(days=10_000)).timestamp()  # a time that a wrong clock gave the file
    os.utime(timestamp, (never, never))
    device(repository, tmp_path, NOW + timedelta(days=29.5)).refresh()


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_differs_from_the_server(
    server: Server, new_client: NewClient, tmp_path: Path, days: int
) -> None:
    server.date = format_datetime(NOW + timedelta(days=days), usegmt=True)
    with pytest.raises(
        WrongClockError, match=r"that of 127\.0\.0\.1 20.* UTC; if the device's is the wrong one"
    ):
        new_client().refresh()
    server.date = format_datetime(NOW + timedelta(hours=days), usegmt=True)
    new_client().refresh()


def test_a_clock_that_is_ahead_is_no_freeze(
    repository: Repository, server: Server, new_client: NewClient
) -> None:
    """All metadata look expired to it; the server tells why."""
    repository.timestamp.signed.expires = in_days(-1)
    repository.publish()
    server.date = format_datetime(NOW - timedelta(days=10), usegmt=True)
    with pytest.raises(WrongClockError):
        new_client().refresh()
    server.date = None
    with pytest.raises(RefusedError, match=r"timestamp\.json is expired"):
        new_client().refresh()


def test_a_date_that_a_cache_kept(server: Server, new_client: NewClient) -> None:
    server.date = format_datetime(NOW - timedelta(days=3), usegmt=True)

    def cached(handler: object, content: bytes) -> None:
        handler.answer(200 if content else 404, content, {"Age": str(3 * 86400)})  # type: ignore[attr-defined]

    server.answer_always("", cached)
    new_client().refresh()
    server.date = "nonsense"
    new_client().refresh()


SCRIPT = """
import sys
from pathlib import Path
from edgeagent.delivery.repository.client import Client
from edgeagent.settings.sections.delivery import DeliverySettings
repository, root, disk = sys.argv[1:]
client = Client(DeliverySettings(repository=repository, root=Path(root)), Path(disk) / "metadata")
release = client.refresh().releases[-1]
model = Path(disk) / "slot" / "model.onnx"
model.parent.mkdir()
model.with_name("model.onnx.part").write_bytes(bytes(1000))
try:
    client.fetch(release, "model.onnx", model)
finally:
    print(sorted((path.name, path.stat().st_size) for path in model.parent.iterdir()))
"""


def test_a_disk_without_room(repository: Repository, tmp_path: Path) -> None:
    """Nothing is asked of the server, and what has come stays."""
    repository.add({"model.onnx": bytes(2_000_000)}, version="2.0.0")
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments = [str(repository.folder), str(repository.trusted), str(disk)]
    done = on_small_disk(disk, "1M", [sys.executable, "-c", SCRIPT, *arguments])
    assert done.stdout == "[('model.onnx.part', 1000)]\n"
    assert "NoRoomError" in done.stderr
    assert "model.onnx: needs 1999000 more bytes, and the disk has " in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir(mode=0o500)
    with pytest.raises(DeliveryError, match="metadata: cannot be written"):
        device(repository, tmp_path).refresh()


def test_a_file_in_the_place_of_a_folder(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "metadata").write_bytes(b"")
    with pytest.raises(DeliveryError, match="metadata: cannot be written"):
        device(repository, tmp_path).refresh()
    (tmp_path / "metadata").unlink()
    client = device(repository, tmp_path)
    release = client.refresh().releases[-1]
    (tmp_path / "slot").write_bytes(b"")
    with pytest.raises(DeliveryError, match=r"model\.onnx\.part: cannot be written"):
        client.fetch(release, "model.onnx", tmp_path / "slot" / "model.onnx")
