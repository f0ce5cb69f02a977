"""Upload into an object store: moto's server, which checks each signature with its own implementation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.frame_upload import FrameUploadSettings, ObjectStoreSettings
from edgeagent.telemetry.frame_upload.frame_uploader import JOURNAL_SIZE, FrameUploader
from edgeagent.telemetry.frame_upload.object_store_target import ObjectStoreTarget
from edgeagent.telemetry.mqtt.spool import Spool
from tests.telemetry.frame_upload.frame_server import frame_server
from tests.web.page import free_port, wait_for_port

pytest.importorskip("minio", reason="needs minio (extra `s3`)")
pytest.importorskip("moto", reason="needs moto (extra `test`)")

_SERVER = """
import sys
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""
SET_UP = 4
"""Requests that are not checked: user, its rights, its key, bucket."""


class Store:
    """Store with one bucket and one user."""

    def __init__(self, port: int) -> None:
        import boto3

        self.url = f"http://127.0.0.1:{port}"
        anyone = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
        iam = boto3.client("iam", endpoint_url=self.url, **anyone)
        iam.create_user(UserName="boards")
        policy = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
        )
        iam.put_user_policy(UserName="boards", PolicyName="frames", PolicyDocument=policy)
        key = iam.create_access_key(UserName="boards")["AccessKey"]
        self.access, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        boto3.client("s3", endpoint_url=self.url, **anyone).create_bucket(
            Bucket="frames", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self._reader = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
        )

    def objects(self) -> dict[str, tuple[bytes, str]]:
        found = self._reader.list_objects_v2(Bucket="frames").get("Contents", [])
        read = {one["Key"]: self._reader.get_object(Bucket="frames", Key=one["Key"]) for one in found}
        return {name: (one["Body"].read(), one["ContentType"]) for name, one in read.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(SET_UP)}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(port)], env=environment, stdout=output, stderr=output
        )
        try:
            wait_for_port(port)
            yield Store(port)
        finally:
            server.kill()
            server.wait()


def target(
    store: Store, folder: Path, secret: str | None = None, bucket: str = "frames", url: str | None = None
) -> ObjectStoreTarget:
    for name, value in (("access", store.access), ("secret", secret or store.secret)):
        (folder / name).write_text(f"{value}\n")
        (folder / name).chmod(0o600)
    part = ObjectStoreSettings(
        bucket=bucket,
        region="eu-west-1",
        prefix="site/",
        access_key_file=folder / "access",
        secret_key_file=folder / "secret",
    )
    return ObjectStoreTarget(FrameUploadSettings(url=url or store.url, s3=part, timeout=60.0), part)


def test_an_object_is_stored_under_a_right_signature(store: Store, tmp_path: Path) -> None:
    place = target(store, tmp_path)
    assert place.send("board/yard/1.000000.jpg", b"jpeg", "image/jpeg") == ("delivered", "")
    assert place.send("board/yard/1.000000.jpg", b"jpeg again", "image/jpeg") == ("delivered", "")
    assert store.objects() == {"site/board/yard/1.000000.jpg": (b"jpeg again", "image/jpeg")}


def test_a_wrong_key_fails_and_stores_nothing(store: Store, tmp_path: Path) -> None:
    before = store.objects()
    outcome, reason = target(store, tmp_path, secret="another").send("board/yard/2.jpg", b"x", "image/jpeg")
    assert (outcome, reason) == ("failed", "answers SignatureDoesNotMatch")
    assert store.objects() == before


def test_a_bucket_that_is_not_there_and_a_store_that_is_away(store: Store, tmp_path: Path) -> None:
    outcome, reason = target(store, tmp_path, bucket="others").send("board/yard/3.jpg", b"x", "image/jpeg")
    assert (outcome, reason) == ("failed", "answers NoSuchBucket")
    away = target(store, tmp_path, url="http://127.0.0.1:9")
    outcome, reason = away.send("board/yard/3.jpg", b"x", "image/jpeg")
    assert outcome == "failed"
    assert store.secret not in reason


def test_keys_that_are_not_there_are_told_at_the_start(store: Store, tmp_path: Path) -> None:
    part = ObjectStoreSettings(
        bucket="frames", access_key_file=tmp_path / "no", secret_key_file=tmp_path / "no"
    )
    with pytest.raises(ConfigurationError, match=r"the access key of hard_frames\.upload\.s3"):
        ObjectStoreTarget(FrameUploadSettings(url=store.url, s3=part), part)


@pytest.mark.parametrize("odd", ["access", "secret"])
def test_a_key_that_no_header_carries_is_told_at_the_start(tmp_path: Path, odd: str) -> None:
    for name in ("access", "secret"):
        (tmp_path / name).write_text("a k€y" if name == odd else "key")
    part = ObjectStoreSettings(
        bucket="frames", access_key_file=tmp_path / "access", secret_key_file=tmp_path / "secret"
    )
    with pytest.raises(ConfigurationError, match=f"the {odd} key of .* has strange characters"):
        ObjectStoreTarget(FrameUploadSettings(url="http://127.0.0.1:9", s3=part), part)


@pytest.mark.parametrize(
    ("status", "kind", "page"),
    [
        (403, "application/xml", b"no XML"),
        (400, "application/xml", b"\xff<Error/>"),
        (502, "text/html", b"\xff\xfe"),
        (503, "application/xml", b"<html/>"),
    ],
)
def test_an_error_that_cannot_be_read_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int, kind: str, page: bytes
) -> None:
    """A captive portal or a broken proxy answers so: the frame waits, and no fault of the agent is told."""
    folder = tmp_path / "frames"
    (folder / "yard").mkdir(parents=True)
    for name, content in (("1.000000.json", b"{}"), ("1.000000.jpg", b"jpeg")):
        (folder / "yard" / name).write_bytes(content)
    for name in ("access", "secret"):
        (tmp_path / name).write_text("key")
    part = ObjectStoreSettings(
        bucket="frames",
        region="eu-west-1",
        access_key_file=tmp_path / "access",
        secret_key_file=tmp_path / "secret",
    )
    with frame_server() as server:
        server.answers, server.page = [status] * 3 + [200] * 2, (kind, page)
        settings = FrameUploadSettings(
            url=server.url, s3=part, retry_first=0.05, retry_longest=0.1, every=0.1
        )
        journal = partial(Spool, tmp_path / "frame-upload.db", JOURNAL_SIZE, settings.age)
        uploader = FrameUploader("board", folder, settings, ObjectStoreTarget(settings, part), journal)
        uploader.start()
        try:
            uploader.kept(folder / "yard" / "1.000000.jpg")
            server.wait_for(2)
        finally:
            uploader.stop(60.0)
    assert "; trying again" in caplog.text
    assert "report this as a bug" not in caplog.text
