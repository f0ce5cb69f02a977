"""Sign-ins that have begun, and what anybody can do to them and to the audit without an account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeagent.fleet.oidc.sign_in_attempts import ATTEMPT_S, LONGEST_FOLLOWING, SignInAttempts
from tests.fleet.oidc.provider import IdentityProvider, running_provider
from tests.fleet.oidc.test_oidc_sign_in import ANN, at_provider, begin, provider_of, session_of, sign_in
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page

BEGUN = 1030
"""More than were once kept for all browsers together."""


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with running_provider() as running:
        running.claims = dict(ANN)
        yield running


@pytest.fixture
def page(provider: IdentityProvider, tmp_path: Path) -> Iterator[FleetClient]:
    oidc, no_store = provider_of(tmp_path, provider.issuer), cast(Any, object())
    with running_fleet_page(no_store, tmp_path / "users", users=False, oidc=oidc) as running:
        yield running


def rows(page: FleetClient) -> int:
    return len(page.services.audit.rows("*", 5000))


def test_nobody_fills_the_audit_without_an_attempt(page: FleetClient) -> None:
    _, held = begin(page)
    for path, headers in (
        ("", {}),
        ("?state=x", {}),
        ("?state=x&code=y", held),
        ("?error=no", held),
        ("?state=x", {"Cookie": held["Cookie"] + "A"}),
    ):
        answer = page.ask(f"/sign-in/oidc/callback{path}", headers=headers)
        assert answer.status == 403
        assert "was not begun here" in answer.text
    assert rows(page) == 0
    session_of(sign_in(page))
    assert rows(page) == 1, "nor is an address slowed down by what a page elsewhere makes its browser ask for"


def test_failures_slow_an_address_down(
    page: FleetClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.web.sign_in.FREE_FAILURES", -7)  # minutes from the first on
    address, held = begin(page)
    back = at_provider(address)
    provider.refuses = "access_denied"
    assert sign_in(page).status == 403
    refused = page.ask("/sign-in/oidc")
    assert refused.status == 429
    assert re.search(r"Too many tries\. Try again in \d+ s\.", refused.text)
    assert page.ask(back, headers=held).status == 429
    assert page.sign_in("ann", "wrong").status == 429, "the limit is that of passwords"
    assert rows(page) == 1


def test_failures_of_all_addresses_are_audited_at_a_limited_rate(
    provider: IdentityProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("edgeagent.fleet.page.oidc_pages.FAILURES_PER_S", 1e-6)
    monkeypatch.setattr("edgeagent.fleet.page.oidc_pages.FAILURES_BURST", 2.0)
    provider.refuses = "access_denied"
    oidc, no_store = provider_of(tmp_path, provider.issuer), cast("Any", object())
    with running_fleet_page(no_store, tmp_path / "users", users=False, oidc=oidc) as page:
        for number in range(3):
            address, held = begin(page)
            headers = {**held, "X-Forwarded-For": f"192.0.2.{number}"}
            assert page.ask(at_provider(address), headers=headers).status == 403
        assert rows(page) == 2
    assert caplog.text.count("The provider refuses: access_denied") == 3, "the log has all of them"


def test_others_do_not_displace_a_begun_sign_in(page: FleetClient) -> None:
    address, held = begin(page)
    back = at_provider(address)
    for _ in range(BEGUN):
        assert page.ask("/sign-in/oidc").status == 303
    session_of(page.ask(back, headers=held))


def test_an_attempt_is_of_one_use_and_of_ten_minutes() -> None:
    now = [5.0]
    attempts = SignInAttempts(lambda: now[0])
    first, second = attempts.begin("/devices?name=Zürich"), attempts.begin("/")
    sealed = attempts.seal(first)
    assert first.verifier not in sealed
    assert attempts.take(sealed, second.state) is None
    assert attempts.take(sealed, first.state) == first
    assert attempts.take(sealed, first.state) is None
    now[0] += ATTEMPT_S + 1
    assert attempts.take(attempts.seal(second), second.state) is None
    assert attempts.take(sealed, first.state) is None
    assert SignInAttempts(lambda: 5.0).take(sealed, first.state) is None, "another process"


def test_a_cookie_is_not_too_long_for_a_browser() -> None:
    attempts = SignInAttempts()
    longest = attempts.begin("/" + "é" * (LONGEST_FOLLOWING // 2 - 1))
    assert longest.following != "/"
    assert len(attempts.seal(longest)) < 3500
    assert attempts.begin("/" + "é" * LONGEST_FOLLOWING).following == "/"


_ATTEMPTS = SignInAttempts()


@settings(max_examples=50, deadline=None)
@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{2,40}(\.[A-Za-z0-9_-]{0,20}){4}", fullmatch=True), st.text())
def test_no_other_value_is_an_attempt(value: str, state: str) -> None:
    assert _ATTEMPTS.take(value, state) is None
