"""Frames from a device to the fleet's page and back: real HTTP, roles, tenants, quota, exports, labels."""

from __future__ import annotations

import io
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.label_export import EXPORTS
from edgeagent.datasets.label_import import LabelTarget, import_labels
from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.events.hard_frames import HardFrames
from edgeagent.fleet.frames.frame_archive import (
    FrameArchive,
)
from edgeagent.fleet.frames.received_picture import MOST_PICTURE
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.telemetry.frame_upload.frame_uploader import JOURNAL_SIZE, FrameUploader
from edgeagent.telemetry.frame_upload.http_target import HttpTarget
from edgeagent.telemetry.mqtt.spool import Spool
from edgeagent.vision.detections import Detections
from tests.datasets.test_label_import import confirm
from tests.fleet.page.fleet_page import FORM, PASSWORDS, FleetClient, running_fleet_page
from tests.web.page import Answer

LABELS = ("person", "car")
SECOND = 1_000_000_000
QUOTA = 400_000


class NoStore:
    """Nothing is asked of the store here."""


def jpeg(width: int = 64, height: int = 48) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1].tobytes())


def notes(**more: object) -> bytes:
    found = [{"label": "person", "score": 0.4, "box": [0.1, 0.2, 0.5, 0.9]}]
    about = {"camera": "yard", "time": 1.0, "model": "coco-nano 1.0.0", "reasons": ["low_confidence"]}
    return json.dumps({**about, "width": 64, "height": 48, "objects": found, **more}).encode()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[FleetClient]:
    archive = FrameArchive(tmp_path / "frames", QUOTA)
    store = cast(FleetStore, NoStore())
    with running_fleet_page(store, tmp_path / "users", frames=archive) as running:
        yield running


def token(page: FleetClient, tenant: str = "") -> str:
    assert page.services.upload_tokens is not None
    return page.services.upload_tokens.issue("boards", tenant)


def put(page: FleetClient, given: str, name: str, content: bytes) -> Answer:
    headers = {"Authorization": f"Bearer {given}", "Content-Type": "application/octet-stream"}
    return page.ask(f"/upload/{name}", "PUT", content, headers)


def fill(page: FleetClient, tenant: str = "", device: str = "board", count: int = 1) -> None:
    given = token(page, tenant)
    for number in range(count):
        for end, content in (("json", notes()), ("jpg", jpeg())):
            assert put(page, given, f"{device}/yard/{number}.000000.{end}", content).status == 201


def held(page: FleetClient, user: str) -> dict[str, str]:
    return page.enter(user)


def csrf(page: FleetClient, user: str) -> str:
    text = page.ask("/frames", headers=held(page, user)).text
    return text.partition('name="csrf" content="')[2].partition('"')[0]


def send(page: FleetClient, user: str, path: str, fields: list[tuple[str, str]]) -> Answer:
    body = urlencode([*fields, ("csrf", csrf(page, user))])
    return page.ask(path, "POST", body, {**held(page, user), "Content-Type": FORM, "Origin": page.origin})


def give_labels(page: FleetClient, user: str, name: str, content: bytes) -> Answer:
    headers = {**held(page, user), "X-CSRF-Token": csrf(page, user), "Origin": page.origin}
    return page.ask(f"/frames/labels?name={name}", "PUT", content, headers)


def test_a_device_sends_what_it_keeps_and_an_operator_sees_it(page: FleetClient, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token(page))
    (tmp_path / "token").chmod(0o600)
    url = f"{page.origin}/upload"
    settings = FrameUploadSettings(url=url, token_file=tmp_path / "token", every=0.1)
    folder, journal = tmp_path / "device", partial(Spool, tmp_path / "journal.db", JOURNAL_SIZE, 1e6)
    uploader = FrameUploader("board", folder, settings, HttpTarget(settings), journal)
    frames = HardFrames(HardFrameSettings(every=1.0, keep_free=1), folder, {}, uploader.kept)
    frames.start()
    uploader.start()
    boxes = np.array([[10, 10, 60, 60]], np.float32)
    found = Detections(boxes, np.array([0.3], np.float32), np.zeros(1, np.int32), LABELS)
    frames.drift("yard", True)
    image = np.full((100, 200, 3), 90, np.uint8)
    frames.frame(SeenFrame("yard", 1_700_000_000.25, image, found, "coco-nano 1.0.0"), SECOND)
    archive, deadline = page.services.frames, time.monotonic() + 60.0
    assert archive is not None
    while not archive.frames(None):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    frames.stop(60.0)
    uploader.stop(60.0)
    text = page.ask("/frames", headers=held(page, "bob")).text
    for shown in ("board", "yard", "coco-nano 1.0.0", "low confidence", "drift", "1 object, proposed"):
        assert shown in text
    answer = page.ask("/frames/picture/-/board/yard/1700000000.250000.jpg", headers=held(page, "bob"))
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (100, 200, 3)


def test_who_may_send_and_who_may_look(page: FleetClient) -> None:
    fill(page)
    for given in ("", "eau_guess", page.services.users.issue("ann", "api", "admin")):
        assert put(page, given, "board/yard/9.000000.json", notes()).status == 401
    upload = {"Authorization": f"Bearer {token(page)}"}
    for path in ("/frames", "/frames/picture/-/board/yard/0.000000.jpg", "/api/v1/fleet"):
        assert page.ask(path).status == 401
        assert page.ask(path, headers=upload).status == 401
    for path in ("/frames", "/frames/picture/-/board/yard/0.000000.jpg"):
        assert page.ask(path, headers=held(page, "vic")).status == 403
    assert page.services.upload_tokens is not None
    given = token(page)
    page.services.upload_tokens.revoke("boards", "")
    assert put(page, given, "board/yard/9.000000.json", notes()).status == 401


REFUSED = [
    ("board/yard/1.000000.jpg", jpeg(), 422, "the notes are missing; send NAME.json first"),
    ("board/yard/0.000000.jpg", jpeg(32, 48), 422, "has 32 x 48 pixels, its notes say 64 x 48"),
    ("board/yard/0.000000.jpg", b"GIF89a", 422, "expected a JPEG"),
    ("board/yard/0.000000.jpg", jpeg()[:-40], 422, "truncated"),
    ("board/yard/0.000000.jpg", b"x" * (MOST_PICTURE + 1), 413, "too large"),
    ("board/yard/2.000000.json", b"{", 422, "the notes cannot be used"),
    ("board/yard/2.000000.json", notes(width=10**6), 422, "width"),
    ("board/yard/2.000000.json", notes(objects=[{"label": "a", "box": [0, 0, 2, 1]}]), 422, "box"),
    ("..%2f..%2fetc/yard/2.000000.json", notes(), 404, "Expected /upload/"),
    ("../yard/2.000000.json", notes(), 422, "use letters, digits"),
    ("board/.ssh/2.000000.json", notes(), 422, "use letters, digits"),
    ("board/yard/2.000000.txt", notes(), 404, "Expected /upload/"),
    ("board/yard/2.json", notes(), 422, "six decimals"),
    ("board/yard/7258118400.000000.json", notes(), 422, "behind the year 2199"),
    ("board/yard/999999999999.000000.json", notes(), 422, "behind the year 2199"),
]


def test_what_cannot_be_a_frame_is_refused(page: FleetClient, tmp_path: Path) -> None:
    given = token(page)
    archive = page.services.frames
    assert archive is not None
    for name, content, status, words in REFUSED:
        assert put(page, given, "board/yard/0.000000.json", notes()).status == 201
        answer = put(page, given, name, content)
        assert (answer.status, words in answer.text) == (status, True), (name, answer.text)
    stored = sorted(str(one.relative_to(tmp_path / "frames")) for one in (tmp_path / "frames").rglob("*.*"))
    assert stored == ["-/board/yard/0.000000.json"]
    assert archive.used("")[0] == len(notes())


def test_a_full_quota_refuses_and_keeps_what_is_there(page: FleetClient, tmp_path: Path) -> None:
    given, number, status = token(page), 0, 201
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    large = bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    while status == 201:
        number += 1
        assert put(page, given, f"board/yard/{number}.000000.json", notes(width=300, height=300)).status in (
            201,
            507,
        )
        status = put(page, given, f"board/yard/{number}.000000.jpg", large).status
    assert status in (507, 422)
    answer = put(page, given, f"board/yard/{number}.000000.json", notes(width=300, height=300))
    kept = sum(one.stat().st_size for one in (tmp_path / "frames").rglob("*.*"))
    assert QUOTA - 200_000 < kept <= QUOTA, answer.text
    fill(page, "plant-3")  # another tenant has its own
    again = FrameArchive(tmp_path / "frames", QUOTA)  # a new start finds everything
    assert len(again.frames("")) == number - 1
    assert again.used("") == page.services.frames.used("") if page.services.frames else False


def test_a_tenant_sees_its_own_frames(page: FleetClient) -> None:
    page.services.users.add("pat", "pats long password", "operator", "plant-3")
    PASSWORDS["pat"] = "pats long password"
    fill(page, "", "alone")
    fill(page, "plant-3", "theirs")
    text = page.ask("/frames", headers=held(page, "pat")).text
    assert "theirs" in text
    assert "alone" not in text
    assert page.ask("/frames/picture/-/alone/yard/0.000000.jpg", headers=held(page, "pat")).status == 404
    everything = page.ask("/frames", headers=held(page, "bob")).text
    assert "theirs" in everything
    assert "alone" in everything


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_labels_go_out_and_come_back_in_every_format(page: FleetClient, tmp_path: Path, kind: str) -> None:
    fill(page, count=2)
    exported = send(page, "bob", "/frames/export", [("format", kind)])
    assert exported.status == 200, exported.text
    with zipfile.ZipFile(io.BytesIO(exported.body)) as file:
        file.extractall(tmp_path / "out")
        pictures = [one for one in file.namelist() if one.endswith(".jpg")]
    assert len(pictures) == 2
    out = tmp_path / "out" / "frames"
    if kind == "label-studio":
        confirm(out / "tasks.json")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for path in out.rglob("*.*"):
            file.write(path, path.relative_to(out))
    answer = give_labels(page, "bob", "done.zip", packed.getvalue())
    assert (answer.status, answer.text) == (200, "2 frames are labelled.\n")
    assert "labelled by bob" in page.ask("/frames?labelled=yes", headers=held(page, "bob")).text
    assert "No such frames" in page.ask("/frames?labelled=no", headers=held(page, "bob")).text
    back = send(page, "bob", "/frames/export", [("format", "coco"), ("labelled", "yes")])
    with zipfile.ZipFile(io.BytesIO(back.body)) as file:
        file.extractall(tmp_path / "back")
    found = tmp_path / "back" / "frames" / "annotations.json"
    target = LabelTarget("detection", LABELS)
    assert import_labels(found, found.parent / "images", target, tmp_path / "labelled").objects == {
        "person": 2
    }
    assert len(Dataset.find(tmp_path / "labelled").open(None, "val")) == 2
    told = page.services.audit.rows("*", 10, search="frames")
    assert [one.action for one in told] == ["frames export", "frames labels", "frames export"]


def test_labels_that_do_not_fit_are_refused_whole(page: FleetClient) -> None:
    fill(page, count=2)
    archive = page.services.frames
    assert archive is not None
    name = archive.frames(None)[0].key.name

    def coco(**change: object) -> bytes:
        image = {"id": 1, "file_name": name, "width": 64, "height": 48, **change}
        box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 20, 20]}
        return json.dumps(
            {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "car"}]}
        ).encode()

    def bomb(inner: str) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr(inner, "x")
        return packed.getvalue()

    for content, file, words in (
        (coco(file_name="else.jpg"), "a.json", "else.jpg: there is no such frame here"),
        (coco(width=640), "a.json", "was labelled with 640 x 48 pixels, the frame has 64 x 48"),
        (b"{", "a.json", "not JSON"),
        (b"x", "a.zip", "no ZIP archive"),
        (b"x", "../../etc/passwd", "expected COCO or Label Studio"),
        (bomb("../../out.txt"), "a.zip", "leads out of it"),
        (bomb("readme.md"), "a.zip", "holds no labels"),
    ):
        answer = give_labels(page, "bob", file, content)
        assert (answer.status, words in answer.text) == (422, True), answer.text
        assert tempfile.gettempdir() not in answer.text
    assert all(one.labels is None for one in archive.frames(None))
    assert give_labels(page, "vic", "a.json", coco()).status == 403
    headers = {**held(page, "bob"), "Origin": page.origin}
    assert page.ask("/frames/labels?name=a.json", "PUT", coco(), headers).status == 403
    assert not page.services.audit.rows("*", 1, search="vic")[0].done
    assert give_labels(page, "bob", "a.json", coco()).status == 200


def test_chosen_frames_are_exported_and_removed(page: FleetClient, tmp_path: Path) -> None:
    fill(page, count=3)
    archive = page.services.frames
    assert archive is not None
    first = archive.frames(None)[0].key
    exported = send(page, "bob", "/frames/export", [("format", "yolo"), ("frame", first.name)])
    with zipfile.ZipFile(io.BytesIO(exported.body)) as file:
        assert [one for one in file.namelist() if one.endswith(".jpg")] == [f"frames/images/{first.name}"]
    assert send(page, "bob", "/frames/remove", []).status == 400
    assert send(page, "vic", "/frames/remove", [("frame", first.name)]).status == 403
    assert send(page, "bob", "/frames/remove", [("frame", first.name)]).status == 303
    assert first not in [one.key for one in archive.frames(None)]
    assert not list((tmp_path / "frames" / "-" / "board" / "yard").glob(f"{first.stem}*"))
    assert send(page, "bob", "/frames/export", [("format", "excel")]).status == 400


def test_without_a_folder_nothing_is_taken(tmp_path: Path) -> None:
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path) as page:
        assert put(page, token(page), "board/yard/1.000000.json", notes()).status == 503
        assert "--frames DIR" in page.ask("/frames", headers=held(page, "bob")).text
        assert page.ask("/frames/picture/-/board/yard/1.000000.jpg", headers=held(page, "bob")).status == 404
