"""The page of a real agent in headless Chromium: every view in three widths, light and dark.

``EDGEAGENT_SCREENSHOTS`` names a folder for the pictures; ``EDGEAGENT_AXE`` the file ``axe.min.js`` of npm's
axe-core, for the check of accessibility.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Mosquitto
from tests.camera.mjpeg_server import MjpegServer
from tests.daemon.running import running
from tests.daemon.test_live_page import CLIP, settings_of
from tests.long import LONG
from tests.web.page import PASSWORD, Client, free_port, running_page, secrets_in

av = pytest.importorskip("av", reason="needs PyAV (extra `clips`)")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `test`)")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    LONG,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

WIDTHS = (390, 820, 1440)
VIEWS = {"live": "/", "events": "/events", "status": "/status", "zones": "/zones/yard"}
PATIENCE_MS = 60_000
AXE = os.environ.get("EDGEAGENT_AXE")
GATE = {
    "name": "gate",
    "polygon": [[0.1, 0.4], [0.45, 0.4], [0.45, 0.95], [0.1, 0.95]],
    "loiter_after": "10s",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder, client = tmp_path_factory.mktemp("agent"), Client(free_port())
    settings = settings_of(folder, client.port)
    settings["cameras"] = [
        {**settings["cameras"][0], "zones": [GATE]},
        {"name": "street", "source": "/dev/video99"},  # is not there
    ]
    with running(folder, settings) as daemon:
        daemon.wait_until_detecting()
        yield client


def open_page(browser: Any, width: int = 1440, theme: str = "light", **more: Any) -> tuple[Any, list[str]]:
    """A page, and what goes wrong in it."""
    view = {"width": width, "height": 844 if width < 500 else 1000}
    context = browser.new_context(
        viewport=view, color_scheme=theme, timezone_id="America/New_York", locale="en-GB", **more
    )
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None
    )
    page.set_default_timeout(PATIENCE_MS)
    return page, wrong


def wait_until(page: Any, expression: str) -> None:
    """Wait for an expression; Playwright's own wait would need eval, which the page forbids."""
    for _ in range(PATIENCE_MS // 200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(200)
    raise AssertionError(expression)


def keep(page: Any, name: str) -> None:
    folder = os.environ.get("EDGEAGENT_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(
            path=str(Path(folder) / f"{name}.png"), full_page=name.startswith(("status", "start"))
        )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_fits_and_has_no_fault(agent: Client, browser: Any, width: int, theme: str) -> None:
    page, wrong = open_page(browser, width, theme)
    for name, path in VIEWS.items():
        page.goto(agent.origin + path)
        if name in ("live", "zones"):
            page.wait_for_selector("live-picture[camera=yard][data-sequence]")
        page.wait_for_timeout(800)
        keep(page, f"{name}-{width}-{theme}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert page.locator("time[data-local]").count() == 0, "all times are local"
        if AXE:
            check_accessibility(page, name)
    assert wrong == []
    page.context.close()


def check_accessibility(page: Any, name: str) -> None:
    """No serious finding of axe. Its script is put in by the browser itself, as the page allows no other."""
    page.evaluate(Path(str(AXE)).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ]
    assert serious == [], name


def test_the_picture_has_its_boxes_and_a_lost_camera_says_so(agent: Client, browser: Any) -> None:
    page, wrong = open_page(browser)
    page.goto(agent.origin)
    page.wait_for_selector("live-picture[camera=yard][data-objects]:not([data-objects='0'])")
    page.locator("[data-part=live-alarms]", has_text="camera lost").wait_for()
    page.locator("live-picture[camera=street]", has_text="The camera is lost").wait_for()
    keep(page, "live-lost-1440-light")
    assert wrong == []
    page.context.close()


def test_a_zone_is_drawn_with_the_mouse(agent: Client, browser: Any) -> None:
    page, wrong = open_page(browser)
    page.goto(agent.origin + "/zones/yard")
    page.wait_for_selector("live-picture[data-sequence]")
    page.click("#zone-add")
    assert "needs three corners" in page.inner_text("#zone-problem")
    box = page.locator(".drawing").bounding_box()
    for x, y in ((0.5, 0.3), (0.7, 0.3), (0.7, 0.6)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.fill("#zone-name", "door")
    text = page.input_value("#zone-text")
    assert 'loiter_after: "10s"' in text
    assert "- name: door\n        polygon: [[0." in text
    page.locator(".drawing circle").first.focus()
    page.keyboard.press("ArrowRight")
    moved = page.input_value("#zone-text")
    assert moved != text
    page.click("#zone-save")
    page.locator("#zone-told", has_text="Saved.").wait_for()
    keep(page, "zones-saved-1440-light")
    page.reload()
    page.wait_for_selector("live-picture[data-sequence]")
    page.select_option("#zone-choice", label="door")
    assert page.input_value("#zone-text") == moved
    page.locator(".drawing circle").nth(2).focus()
    page.keyboard.press("Delete")
    assert page.is_disabled("#zone-save")
    assert wrong == []
    page.context.close()


def test_a_slider_counts_at_once(agent: Client, browser: Any) -> None:
    page, wrong = open_page(browser)
    page.goto(agent.origin)
    page.wait_for_selector("live-picture[camera=yard][data-objects]:not([data-objects='0'])")
    page.click("summary")
    page.locator("[name='model.score_threshold']").fill("0.95")
    page.locator("#thresholds-told", has_text="Saved.").wait_for()
    keep(page, "live-sliders-1440-light")
    page.reload()
    page.click("summary")
    assert page.input_value("[name='model.score_threshold']") == "0.95"
    page.locator("[name='model.score_threshold']").fill("0.4")
    page.locator("#thresholds-told", has_text="Saved.").wait_for()
    page.goto(agent.origin + "/events")
    page.locator("[data-part=log] tr", has_text="model.score_threshold").first.wait_for()
    assert wrong == []
    page.context.close()


def write_vp9(path: Path) -> Path:
    """The sample clip in a codec that every build of Chromium plays; free ones leave out H.264."""
    with av.open(str(CLIP)) as source, av.open(str(path), "w", format="mp4") as target:
        stream: Any = target.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 384, 288, "yuv420p"
        stream.codec_context.gop_size = 10
        stream.codec_context.options = {"deadline": "realtime", "cpu-used": "8"}
        for number, frame in zip(range(60), source.decode(video=0), strict=False):
            picture = av.VideoFrame.from_ndarray(frame.reformat(384, 288, "rgb24").to_ndarray(), "rgb24")
            picture.pts = number
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
    return path


def test_a_clip_is_played(browser: Any, tmp_path: Path) -> None:
    client = Client(free_port())
    settings = settings_of(tmp_path, client.port, clips={"before": "1s", "after": "500ms", "longest": "4s"})
    settings["cameras"][0]["source"] = str(write_vp9(tmp_path / "vp9.mp4"))
    with running(tmp_path, settings) as daemon:
        daemon.wait_until_detecting()
        page, wrong = open_page(browser)
        page.goto(client.origin + "/events")
        page.locator("a", has_text="Clip").first.click(timeout=3 * PATIENCE_MS)
        wait_until(page, "document.querySelector('video').duration > 0.5")
        page.evaluate("document.querySelector('video').play()")
        wait_until(page, "document.querySelector('video').currentTime > 0.1")
        keep(page, "clip-1440-light")
        if AXE:
            check_accessibility(page, "clip")
        assert wrong == []
        page.context.close()


def test_status_without_javascript(agent: Client, browser: Any) -> None:
    page, _ = open_page(browser, java_script_enabled=False)
    page.goto(agent.origin + "/status")
    text = page.inner_text("main")
    assert "coco-nano" in text
    assert "UTC" in text
    assert "Latency per stage" in text
    keep(page, "status-plain-1440-light")
    page.goto(agent.origin, wait_until="commit")  # its pictures never end
    page.locator("img[alt='Live picture of yard']").wait_for()
    keep(page, "live-plain-1440-light")
    page.context.close()


def test_a_server_that_goes_is_told_and_found_again(browser: Any) -> None:
    port = free_port()
    page, wrong = open_page(browser)
    with running_page(port=port):
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("live-picture")
    page.locator(".picture-state", has_text="Trying again").wait_for()
    with running_page(port=port) as second:
        page.locator(".picture-state", has_text="Waiting").wait_for()
        assert second.server.watched.anything
    assert wrong == []
    page.context.close()


def test_signing_in(browser: Any, tmp_path: Path) -> None:
    with running_page(**secrets_in(tmp_path)) as served:
        page, wrong = open_page(browser, 390)
        page.goto(served.origin + "/events")
        page.fill("[name=user]", "ann")
        page.fill("[name=password]", "guess")
        page.click("button:has-text('Sign in')")
        assert "wrong" in page.inner_text("[role=alert]")
        keep(page, "sign-in-390-light")
        if AXE:
            check_accessibility(page, "sign-in")
        page.fill("[name=user]", "ann")
        page.fill("[name=password]", PASSWORD)
        page.click("button:has-text('Sign in')")
        assert page.inner_text("h1") == "Events" or page.inner_text("h1") == "Live"
        page.click("button[title='Sign out']")
        page.wait_for_url("**/sign-in**")
        assert wrong == []
        page.context.close()


def test_a_first_visit(browser: Any, tmp_path: Path) -> None:
    """From a camera that is not there to the live picture of another one, without an editor."""
    client = Client(free_port())
    settings = settings_of(tmp_path, client.port)
    settings["cameras"] = [{"name": "old", "source": "/dev/video99"}]
    with MjpegServer() as server, Mosquitto(tmp_path) as broker, running(tmp_path, settings) as daemon:
        daemon.wait_for_notification("STATUS=")
        page, wrong = open_page(browser)
        page.goto(client.origin)
        page.click("a:has-text('Find cameras')", timeout=3 * PATIENCE_MS)
        page.click("#start-find button")
        page.locator("#found-told", has_text="no camera device").or_(
            page.locator("#found li").first
        ).wait_for()
        page.fill("#start-picture [name=source]", "http://127.0.0.1:9/nothing")
        page.click("#start-picture button")
        page.locator("#picture-told.form-error", has_text="cannot be opened").wait_for()
        page.fill("#start-picture [name=source]", server.url)
        page.click("#start-picture button")
        page.wait_for_selector("#picture[src^='blob:']")
        page.fill("#start-take [name=name]", "gate")
        keep(page, "start-picture-1440-light")
        page.click("text=Take this camera")
        assert "hunter" not in page.inner_text("#taken")
        page.fill("#start-broker [name=host]", "127.0.0.1")
        page.fill("#start-broker [name=port]", str(broker.port))
        page.click("#start-broker button")
        page.locator("#broker-told", has_text="accepts this device").wait_for()
        page.check("[name=remove][value=old]")
        if AXE:
            check_accessibility(page, "start")
        page.click("#start-write")
        page.locator("#write-told", has_text="Needs a new start").wait_for()
        for width in WIDTHS:
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size({"width": width, "height": 844 if width < 500 else 1000})
                page.evaluate("scrollTo(0, 0)")
                keep(page, f"start-{width}-{theme}")
                assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        page.goto(client.origin)
        page.wait_for_selector("live-picture[camera=gate][data-sequence]")
        assert page.locator("live-picture").count() == 1
        assert wrong == []
        page.context.close()
