"""The loop from end to end, with a planted failure: field, marks, upload, labels, training, gated rollout.

A lamp with a strong tint is put in front of a camera that tells colours apart. The device marks what it is
unsure of and sends it to the fleet's page; a person labels the export; the next training learns the tint.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

import edgeagent
from edgeagent.accuracy.evaluation import compare_evaluations, evaluate_model, measured_value
from edgeagent.bundle.reading import open_bundle
from edgeagent.cli import main
from edgeagent.datasets.class_folders import ClassFolders
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.events.hard_frames import HardFrames
from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.imaging.frame import Image
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.telemetry.frame_upload.frame_uploader import JOURNAL_SIZE, FrameUploader
from edgeagent.telemetry.frame_upload.http_target import HttpTarget
from edgeagent.telemetry.mqtt.spool import Spool
from tests.broker import Mosquitto
from tests.classifier import COLOURS, colour_picture, colour_pictures
from tests.daemon.running import Consumer, running
from tests.delivery.models import offer
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.fleet.frames.test_fleet_frames import NoStore, held, send, token
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page
from tests.long import LONG

TINT = np.array([-15.0, 0.0, 30.0])
"""What the lamp adds to blue, green and red."""
FRAMES = 120
SECOND = 1_000_000_000


@pytest.fixture
def page(tmp_path: Path) -> Iterator[FleetClient]:
    archive = FrameArchive(tmp_path / "frames", 100_000_000)
    with running_fleet_page(cast(FleetStore, NoStore()), tmp_path / "users", frames=archive) as running:
        yield running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def tinted(index: int, seed: int) -> Image:
    found: Image = np.clip(colour_picture(index, seed) + TINT, 0, 255).astype(np.uint8)
    return found


def tinted_pictures(folder: Path, count: int, seed: int) -> Path:
    """Write pictures of each colour under the lamp into folders of their names."""
    for index, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True)
        for number in range(count):
            picture = tinted(index, 1000 * seed + 3 * number + index)
            cv2.imwrite(str(folder / colour / f"{colour}-{seed}-{number}.png"), picture)
    return folder


def device_marks(detector: Detector, page: FleetClient, folder: Path) -> dict[str, str]:
    """Show the device tinted pictures; when all that it keeps are on the page, return their truth."""
    (folder / "token").write_text(token(page))
    (folder / "token").chmod(0o600)
    upload = FrameUploadSettings(url=f"{page.origin}/upload", token_file=folder / "token", every=0.1)
    kept, journal = folder / "device-frames", partial(Spool, folder / "journal.db", JOURNAL_SIZE, 1e6)
    uploader = FrameUploader("board", kept, upload, HttpTarget(upload), journal)
    settings = HardFrameSettings(low=0.3, high=0.6, every=1.0, quality=100, keep_free=1)
    keeper = HardFrames(settings, kept, {}, uploader.kept)
    keeper.start()
    truth, buffers = {}, detector.allocate()
    for number in range(FRAMES):
        image, utc_s = tinted(number % 3, 5_000_000 + number), 1_700_000_000.0 + number
        truth[f"{utc_s:.6f}"] = COLOURS[number % 3]
        keeper.frame(
            SeenFrame("line", utc_s, image, detector.detect(image, buffers, 0.25), "colours 1.0.0"),
            2 * number * SECOND,
        )
        assert keeper.idle(60.0)
    keeper.stop(60.0)
    marked = len(list(kept.rglob("*.jpg")))
    assert 20 < marked < FRAMES
    uploader.start()
    archive, deadline = page.services.frames, time.monotonic() + 120.0
    assert archive is not None
    while len(archive.frames(None)) < marked:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    uploader.stop(60.0)
    return {one.key.name: truth[one.key.stem] for one in archive.frames(None)}


def person_labels(page: FleetClient, truth: dict[str, str], folder: Path) -> Path:
    """Export from the page, and label the tasks as a person does in Label Studio."""
    exported = send(page, "bob", "/frames/export", [("format", "label-studio"), ("reason", "low_confidence")])
    assert exported.status == 200, exported.text
    with zipfile.ZipFile(io.BytesIO(exported.body)) as file:
        file.extractall(folder)
    tasks = json.loads((folder / "frames" / "tasks.json").read_text())
    for task in tasks:
        result = [{"type": "choices", "value": {"choices": [truth[task["data"]["name"]]]}}]
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    (folder / "frames" / "done.json").write_text(json.dumps(tasks))
    return folder / "frames" / "done.json"


def train_on(folder: Path, classifier: Path, labelled: Path) -> Path:
    """Train on the pictures of before and the labelled frames; the bundle has golden pictures of both."""
    data = folder / "data" / "train"
    colour_pictures(data, 20, 3)
    for path in labelled.glob("*/*.jpg"):
        (data / path.parent.name / path.name).write_bytes(path.read_bytes())
    description = (classifier.parent / "colours.yaml").read_text().replace("1.0.0", "2.0.0")
    (folder / "colours.yaml").write_text(description)
    recipe = {
        "training": {
            "steps": 300,
            "batch": 16,
            "weight_rate": 0.02,
            "supervised_weight": 20.0,
            "mosaic": 0.0,
        },
        "ptq": "none",
        "formats": ("onnx",),
        "keep": "trained",
    }
    golden = tinted_pictures(folder / "golden", 6, 8)
    result = edgeagent.quantize(
        classifier.parent / "colours.onnx",
        None,
        folder / "bundle",
        describe=folder / "colours.yaml",
        dataset=data.parent,
        golden=golden,
        recipe=BundleRecipe.model_validate(recipe),
        compiled=False,
    )
    return result.path


def detector_of(bundle: Path) -> Detector:
    return load_bundle_detector(open_bundle(bundle), "onnxruntime", 1, 0.65)


def rolls_out(bundle: Path, before: Path, broker: Mosquitto, folder: Path) -> dict[str, Any]:
    """Offer the bundle to a device that serves the one before; return the message of its trial."""
    repository = Repository(folder / "repository")
    clip = folder / "clip"
    clip.mkdir()
    for number in range(30):
        cv2.imwrite(str(clip / f"{number:03}.png"), tinted(number % 3, 9_000_000 + number))
    (folder / "board").mkdir()
    with Server(repository.folder) as server, Consumer(broker.port, "board") as consumer:
        wanted = {
            "device": "board",
            "state": str(folder / "board" / "state"),
            "cameras": [{"name": "line", "source": str(clip), "loop": True}],
            "model": {"bundle": str(before), "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {"interval": "1s"},
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
            "delivery": {
                "repository": server.url,
                "root": str(repository.trusted),
                "check_every": "1s",
                "gate": {"p90_ms": 60000.0},
                "probation": {
                    "time": "2s",
                    "frames": 10,
                    "rate_change": 5.0,
                    "score_change": 1.0,
                    "slower": 1000.0,
                },
            },
        }
        with running(folder / "board", wanted) as daemon:
            daemon.wait_until_detecting()
            offer(repository, open_bundle(bundle))
            trial = consumer.wait_for(
                "deployment", lambda m: (m["state"], m.get("version")) == ("trial", "2.0.0")
            )
            consumer.wait_for("deployment", lambda m: (m["state"], m.get("version")) == ("good", "2.0.0"))
            assert daemon.stop() == 0, daemon.log()
    found: dict[str, Any] = trial
    return found


def gain(before: Path, after: Path, pictures: Path) -> tuple[float, float, float, float]:
    """Return top-1 before and after on pictures that nobody used, and the interval of the difference."""
    data = ClassFolders.find(pictures)
    assert data is not None
    one, other = (evaluate_model(detector_of(bundle), data) for bundle in (after, before))
    difference = compare_evaluations(one, other)
    return measured_value(other), measured_value(one), difference.low, difference.high


@LONG
def test_what_a_person_labels_makes_the_next_model_better_in_the_field(
    classifier_bundle: Path, page: FleetClient, broker: Mosquitto, tmp_path: Path
) -> None:
    truth = device_marks(detector_of(classifier_bundle), page, tmp_path)
    assert "low confidence" in page.ask("/frames", headers=held(page, "bob")).text
    done = person_labels(page, truth, tmp_path / "export")
    labels = ["frames", "labels", str(done), "--bundle", str(classifier_bundle)]
    assert main([*labels, "--out", str(tmp_path / "labelled")]) == 0
    after = train_on(tmp_path, classifier_bundle, tmp_path / "labelled")
    old, new, low, high = gain(classifier_bundle, after, tinted_pictures(tmp_path / "unseen", 60, 11))
    assert low > 0.0, f"top-1 under the lamp {old:.3f} -> {new:.3f}, interval {low:+.3f} to {high:+.3f}"
    trial = rolls_out(after, classifier_bundle, broker, tmp_path)
    assert trial["gate"]["top1"] > 0.7
