"""Signing in through a running identity provider: who gets in, with which rights, and what is refused."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeagent.fleet.oidc.oidc_provider import OidcProvider
from edgeagent.fleet.oidc.oidc_settings import OidcSettings
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.oidc.provider import CLIENT, SECRET, IdentityProvider, running_provider
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page
from tests.long import LONG
from tests.web.page import Answer, free_port
from tests.web.test_browser import CHROMIUM, open_page

ANN = {"preferred_username": "ann@plant", "groups": ["staff", "fleet-operators"]}


def provider_of(folder: Path, issuer: str, **more: Any) -> Any:
    """Return what builds the provider's client for a page."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    roles = {"fleet-admins": "admin", "fleet-operators": "operator", "staff": "viewer"}
    given = {
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret_file": secret,
        "roles": roles,
        "label": "Company account",
        **more,
    }
    return lambda page: OidcProvider(OidcSettings(page=page, **given))


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with running_provider() as running:
        running.claims = dict(ANN)
        yield running


@pytest.fixture
def page(store: FleetStore, provider: IdentityProvider, tmp_path: Path) -> Iterator[FleetClient]:
    oidc = provider_of(tmp_path, provider.issuer)
    with running_fleet_page(store, tmp_path / "users", users=False, oidc=oidc) as running:
        yield running


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def begin(page: FleetClient, following: str = "/devices") -> tuple[str, dict[str, str]]:
    """Begin to sign in; return the address at the provider and the headers with the cookie."""
    answer = page.ask(f"/sign-in/oidc?next={following}")
    assert answer.status == 303, answer.text
    cookie = str(answer.headers["set-cookie"])
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    return str(answer.headers["location"]), {"Cookie": cookie.partition(";")[0], "Accept": "text/html"}


def at_provider(address: str) -> str:
    """Ask the provider, and return path and query to which it sends the browser back."""
    opener = urllib.request.build_opener(_NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as back:
        opener.open(address, timeout=60)
    assert back.value.code == 302, back.value.read()
    parts = urlsplit(str(back.value.headers["Location"]))
    return f"{parts.path}?{parts.query}"


def sign_in(page: FleetClient, following: str = "/devices") -> Answer:
    address, held = begin(page, following)
    return page.ask(at_provider(address), headers=held)


def session_of(answer: Answer) -> dict[str, str]:
    """Headers of the session that an answer begins."""
    assert answer.status == 200, answer.text
    cookies = [one for one in answer.headers.get_all("set-cookie") or () if "session" in one]
    assert len(cookies) == 1
    assert "SameSite=strict" in cookies[0]
    return {"Cookie": cookies[0].partition(";")[0], "Accept": "text/html"}


def test_an_operator_of_the_provider_gets_in(page: FleetClient) -> None:
    asked = page.ask("/devices", headers={"Accept": "text/html"})
    assert asked.status == 303, "with a provider, nobody looks without signing in"
    form = page.ask(str(asked.headers["location"])).text
    assert 'href="/sign-in/oidc?next=%2Fdevices"' in form
    assert "Company account" in form
    answer = sign_in(page, "/devices?state=lost")
    assert answer.headers["refresh"] == "0; url=/devices?state=lost"
    held = session_of(answer)
    shown = page.ask("/devices", headers=held).text
    assert "oidc:ann@plant · operator" in shown
    assert page.ask("/audit", headers=held).status == 200
    assert page.ask("/users", headers=held).status == 403
    (row,) = page.services.audit.rows("*", 5, search="oidc:ann@plant")
    assert (row.action, row.done, row.detail) == ("sign-in", True, "operator, tenant *")
    page.send("/sign-out", held)
    assert page.ask("/devices", headers=held).status == 303


def test_state_nonce_and_verifier_are_new_each_time(page: FleetClient) -> None:
    first, second = begin(page)[0], begin(page)[0]
    for name in ("state", "nonce", "code_challenge"):
        values = {re.search(f"[?&]{name}=([^&]+)", one)[1] for one in (first, second)}  # type: ignore[index]
        assert len(values) == 2
        assert min(map(len, values)) >= 43
    assert "code_challenge_method=S256" in first


def test_a_code_is_of_one_browser_and_of_one_use(page: FleetClient) -> None:
    address, held = begin(page)
    back = at_provider(address)
    assert page.ask(back).status == 403, "another browser"
    _, other = begin(page)
    assert page.ask(back, headers=other).status == 403, "another attempt: its state is another"
    assert page.ask(back, headers=held).status == 200
    assert page.ask(back, headers=held).status == 403, "twice"


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"aud": "another-page"}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"exp": 1_000_000_000}, "expired"),
        ({"azp": "another-page"}, "azp"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"preferred_username": "x\x00y"}, "no usable name"),
        ({"preferred_username": None}, "no usable name"),
        ({"groups": ["nothing"]}, "has no role here"),
        ({"groups": {"fleet-admins": True}}, "has no role here"),
    ],
)
def test_what_is_not_right_is_refused(
    page: FleetClient, provider: IdentityProvider, spoilt: dict[str, Any], told: str
) -> None:
    provider.spoilt = spoilt
    answer = sign_in(page)
    assert answer.status == 403
    assert told in answer.text
    assert "session" not in str(answer.headers)
    assert not page.services.audit.rows("*", 1)[0].done


def test_a_foreign_signature_is_refused_and_a_new_key_is_learnt(
    page: FleetClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.foreign_key = True
    assert sign_in(page).status == 403
    provider.foreign_key = False
    session_of(sign_in(page))
    provider.turn_key()
    monkeypatch.setattr("edgeagent.fleet.oidc.oidc_provider.KEYS_S", 0.0)
    session_of(sign_in(page))


@pytest.mark.parametrize("keys", [{}, {"keys": 3}, {"keys": []}, {"keys": [{"kty": "RSA"}]}])
def test_keys_that_are_none_are_told(page: FleetClient, provider: IdentityProvider, keys: Any) -> None:
    provider.keys = keys
    answer = sign_in(page)
    assert answer.status in (403, 503)
    assert "no key set" in answer.text or "cannot be trusted" in answer.text
    provider.keys = None
    session_of(sign_in(page))


def test_a_refusal_of_the_provider_is_told(page: FleetClient, provider: IdentityProvider) -> None:
    provider.refuses = "access_denied<b>"
    answer = sign_in(page)
    assert answer.status == 403
    assert "The provider refuses: access_denied&lt;b&gt;." in answer.text


def test_a_new_role_ends_earlier_sessions(page: FleetClient, provider: IdentityProvider) -> None:
    before = session_of(sign_in(page))
    same = session_of(sign_in(page))
    assert page.ask("/devices", headers=before).status == 200, "another browser of the same person"
    provider.claims["groups"] = ["staff"]
    after = session_of(sign_in(page))
    assert page.ask("/devices", headers=before).status == 303
    assert page.ask("/devices", headers=same).status == 303
    assert "oidc:ann@plant · viewer" in page.ask("/devices", headers=after).text


def test_a_tenant_sees_its_devices(store: FleetStore, provider: IdentityProvider, tmp_path: Path) -> None:
    tenants = {"plant-3-team": "plant-3", "headquarters": "*"}
    oidc = provider_of(tmp_path, provider.issuer, tenant_claim="team", tenants=tenants)
    with running_fleet_page(store, tmp_path / "users", users=False, oidc=oidc) as page:
        provider.claims["team"] = "plant-3-team"
        provider.claims["groups"] = ["fleet-admins"]
        shown = page.ask("/devices", headers=session_of(sign_in(page))).text
        assert len(set(re.findall(r'href="/devices/([^/"]+)/cam', shown))) == 1
        assert shown.count('href="/devices/plant-3/cam-') == 5
        assert "oidc:ann@plant · operator" in shown, "an admin has all tenants"
        provider.claims["team"] = ["headquarters", "plant-3-team"]
        assert "· admin" in page.ask("/devices", headers=session_of(sign_in(page))).text
        provider.claims["team"] = ["elsewhere"]
        refused = sign_in(page)
        assert refused.status == 403
        assert "has no single tenant here" in refused.text


def test_local_users_go_on_while_the_provider_is_away(store: FleetStore, tmp_path: Path) -> None:
    oidc = provider_of(tmp_path, f"http://127.0.0.1:{free_port()}")
    with running_fleet_page(store, tmp_path / "users", oidc=oidc) as page:
        answer = page.ask("/sign-in/oidc?next=/devices")
        assert answer.status == 503
        assert "The identity provider does not answer" in answer.text
        assert page.ask("/devices", headers=page.enter("vic")).status == 200


def test_the_page_that_follows_is_of_this_server(page: FleetClient) -> None:
    assert sign_in(page, "//evil.example/").headers["refresh"] == "0; url=/"


@LONG
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_signing_in_with_a_browser(page: FleetClient) -> None:
    """The provider is another site: the strict cookie of the session must be sent after the way back."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `test`)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown, wrong = open_page(browser)
        shown.goto(page.origin + "/devices?state=lost")
        shown.click("text=Company account")
        shown.wait_for_url("**/devices?state=lost")
        assert "oidc:ann@plant · operator" in shown.inner_text("footer")
        assert wrong == []
        browser.close()
