"""The fleet's page in headless Chromium: every view in three widths, light and dark; keys, forms, filters.

``EDGEAGENT_SCREENSHOTS`` names a folder for the pictures; ``EDGEAGENT_AXE`` the file ``axe.min.js`` of npm's
axe-core, for the check of accessibility.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.page.fleet_page import PASSWORDS, FleetClient
from tests.long import LONG
from tests.web.test_browser import AXE, CHROMIUM, check_accessibility, open_page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `test`)")
pytestmark = [
    pytest.mark.slow,
    LONG,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

WIDTHS = (390, 820, 1440)
WIDER_CELLS = """() => [...document.querySelectorAll(".numeric td")]
    .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText)"""
VIEWS = {
    "fleet": "/?by=label:site",
    "devices": "/devices",
    "filtered": "/devices?search=cam-0&board=Raspberry+Pi+5&sort=-p99",
    "nothing": "/devices?search=nothing-like-this",
    "device": "/devices/-/cam-003?span=24h",
    "models": "/models",
    "compare": "/compare?a_version=1.0.0&b_version=1.1.0",
    "rollouts": "/rollouts",
    "alarms": "/alarms?which=all",
    "lost": "/lost",
    "audit": "/audit",
    "users": "/users",
    "api": "/api",
    "refused": "/devices/-/none",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def enter(shown: Any, page: FleetClient, user: str = "ann", following: str = "/") -> None:
    shown.goto(page.origin + following)
    shown.fill("[name=user]", user)
    shown.fill("[name=password]", PASSWORDS[user])
    shown.click("button:has-text('Sign in')")
    shown.wait_for_selector("header.bar")


def keep(shown: Any, name: str) -> None:
    folder = os.environ.get("EDGEAGENT_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.timeout(1800)  # fourteen views, each with the check of accessibility
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_fits_and_has_no_fault(page: FleetClient, browser: Any, width: int, theme: str) -> None:
    shown, wrong = open_page(browser, width, theme)
    enter(shown, page)
    for name, path in VIEWS.items():
        shown.goto(page.origin + path)
        shown.wait_for_selector("main h1")
        keep(shown, f"{name}-{width}-{theme}")
        assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        if width == WIDTHS[0]:
            assert shown.evaluate(WIDER_CELLS) == [], name
        assert shown.locator("time[data-local]").count() == 0, "all times are local"
        if AXE:
            check_accessibility(shown, name)
    assert wrong == []
    shown.context.close()


def test_keys_filters_and_permalinks(page: FleetClient, browser: Any) -> None:
    shown, wrong = open_page(browser)
    enter(shown, page, following="/devices?state=lost")
    assert "state=lost" in shown.url, "the page that was asked for follows after signing in"
    shown.keyboard.press("/")
    shown.keyboard.type("cam-00")
    shown.keyboard.press("Enter")
    shown.wait_for_url("**search=cam-00**")
    assert "board=" not in shown.url, "empty fields stay out of the address"
    shown.select_option("[name=state]", "detecting")
    shown.wait_for_url("**state=detecting**")
    shown.click("a.sort:has-text('p99')")
    shown.wait_for_url("**sort=p99**")
    assert shown.get_attribute("th[aria-sort]", "aria-sort") == "ascending"
    shown.keyboard.press("j")
    shown.keyboard.press("Enter")
    shown.wait_for_url("**/devices/-/cam-0**")
    shown.keyboard.press("g")
    shown.keyboard.press("a")
    shown.wait_for_url("**/alarms")
    shown.keyboard.press("?")
    assert "next and previous row" in shown.inner_text("dialog")
    keep(shown, "keys-1440-light")
    assert wrong == []
    shown.context.close()


def test_acknowledging_in_the_browser(page: FleetClient, browser: Any) -> None:
    shown, wrong = open_page(browser)
    enter(shown, page, "bob", "/alarms")
    before = shown.locator("form.acknowledge").count()
    shown.locator("form.acknowledge input[name=note]").first.fill("fan ordered")
    shown.locator("form.acknowledge button").first.click()
    shown.wait_for_function(f"document.querySelectorAll('form.acknowledge').length === {before - 1}")
    shown.goto(page.origin + "/alarms?which=present")
    assert "fan ordered" in shown.inner_text("main")
    assert "Acknowledged by bob" in shown.inner_text("main")
    assert wrong == []
    shown.context.close()


def test_all_is_there_without_javascript(page: FleetClient, browser: Any) -> None:
    shown, _ = open_page(browser, java_script_enabled=False)
    enter(shown, page, "vic", "/devices/-/cam-003")
    text = shown.inner_text("main")
    for word in ("Latency, capture to detections", "UTC", "coco-nano 1.1.0", "12 lost"):
        assert word in text, word
    assert shown.locator("svg path.line-0").count() >= 2
    shown.goto(page.origin + "/devices")
    shown.fill("[name=search]", "cam-01")
    shown.click("button:has-text('Filter')")
    assert "cam-010" in shown.inner_text("main")
    shown.context.close()
