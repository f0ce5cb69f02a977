"""Hard frames of the fleet in headless Chromium: three widths, light and dark; export, and labels back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import pytest

from edgeagent.files.resources import sample_clip
from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.frames.test_fleet_frames import NoStore, put, token
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page
from tests.fleet.page.test_fleet_browser import WIDTHS, enter, keep
from tests.long import LONG
from tests.web.test_browser import AXE, CHROMIUM, check_accessibility, open_page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `test`)")
pytestmark = [
    pytest.mark.slow,
    LONG,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

DEVICES = ("gate", "car-park-north", "a-board-with-a-name-that-is-rather-long")
REASONS = (["low_confidence"], ["low_confidence", "drift"], ["disagreement"], ["feedback"])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetClient]:
    """The page with twelve frames of the sample clip, sent by three devices."""
    folder = tmp_path_factory.mktemp("frames")
    store = cast(FleetStore, NoStore())
    with running_fleet_page(store, folder / "users", frames=FrameArchive(folder / "kept", 10**9)) as running:
        given, clip = token(running), cv2.VideoCapture(str(sample_clip()))
        for number in range(12):
            frame = clip.read()[1]
            about = {
                "camera": "yard",
                "time": 1_700_000_000.0 + number,
                "model": "coco-nano 1.2.0",
                "reasons": REASONS[number % 4],
                "width": frame.shape[1],
                "height": frame.shape[0],
                "objects": [{"label": "person", "score": 0.4, "box": [0.1, 0.2, 0.3, 0.9]}],
            }
            name = f"{DEVICES[number % 3]}/yard/{1_700_000_000 + number}.000000"
            picture = bytes(cv2.imencode(".jpg", frame)[1].tobytes())
            assert put(running, given, f"{name}.json", json.dumps(about).encode()).status == 201
            assert put(running, given, f"{name}.jpg", picture).status == 201
        clip.release()
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_frames_fit_and_have_no_fault(page: FleetClient, browser: Any, width: int, theme: str) -> None:
    shown, wrong = open_page(browser, width, theme)
    enter(shown, page, "bob", "/frames")
    shown.wait_for_selector("ul.frames img")
    assert shown.locator("ul.frames li").count() == 12
    for picture in shown.locator("ul.frames img").all():
        picture.scroll_into_view_if_needed()
    shown.wait_for_function("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    shown.evaluate("scrollTo(0, 0)")
    keep(shown, f"frames-{width}-{theme}")
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if AXE:
        check_accessibility(shown, "frames")
    assert wrong == []
    shown.context.close()


def test_chosen_frames_are_exported_and_their_labels_taken_back(
    page: FleetClient, browser: Any, tmp_path: Path
) -> None:
    shown, wrong = open_page(browser)
    enter(shown, page, "bob", "/frames?device=gate")
    assert shown.locator("ul.frames li").count() == 4
    shown.locator("ul.frames input[type=checkbox]").first.check()
    shown.select_option("[name=format]", "coco")
    with shown.expect_download() as waiting:
        shown.click("button:has-text('Export')")
    waiting.value.save_as(tmp_path / "frames.zip")
    with zipfile.ZipFile(tmp_path / "frames.zip") as archive:
        names = archive.namelist()
        (labels,) = [name for name in names if name.endswith(".json")]
        (tmp_path / "labels.json").write_bytes(archive.read(labels))
    assert len([name for name in names if name.endswith(".jpg")]) == 1
    shown.set_input_files("[name=file]", tmp_path / "labels.json")
    shown.click("button:has-text('Take labels')")
    shown.wait_for_selector("output.good")
    shown.goto(page.origin + "/frames?labelled=yes")
    assert shown.locator("ul.frames li").count() == 1
    assert "labelled by bob" in shown.inner_text("ul.frames")
    (tmp_path / "wrong.json").write_text("{")
    shown.set_input_files("[name=file]", tmp_path / "wrong.json")
    shown.click("button:has-text('Take labels')")
    shown.wait_for_selector("output.bad")
    keep(shown, "frames-refused-1440-light")
    assert wrong == []
    shown.context.close()
