"""A provider that does not answer, or does not end: neither the page nor its memory suffer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from edgeagent.fleet.oidc.oidc_provider import OidcProvider
from edgeagent.fleet.oidc.provider_exchange import AT_ONCE, LARGEST_ANSWER, ProviderAwayError
from edgeagent.fleet.oidc.sign_in_attempts import SignInAttempt
from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.oidc.bad_provider import HEAD, running_bad_provider
from tests.fleet.oidc.test_oidc_sign_in import provider_of
from tests.fleet.page.fleet_page import running_fleet_page
from tests.web.page import Answer

VISITORS = 60
"""More than the page has threads."""


def client_of_provider(folder: Path, issuer: str) -> OidcProvider:
    client: OidcProvider = provider_of(folder, issuer)("http://127.0.0.1:1")
    return client


def test_local_users_go_on_while_the_provider_is_silent(
    store: FleetStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_S", "DEADLINE_S"):
        monkeypatch.setattr(f"edgeagent.fleet.oidc.oidc_provider.{name}", 3600.0)
    with running_bad_provider() as silent:
        oidc = provider_of(tmp_path, silent.issuer)
        with (
            running_fleet_page(store, tmp_path / "users", oidc=oidc) as page,
            ThreadPoolExecutor(VISITORS) as visitors,
        ):
            held = page.enter("vic")
            try:
                asked = [visitors.submit(page.ask, "/sign-in/oidc") for _ in range(VISITORS)]
                silent.wait_for_asked(AT_ONCE)
                assert page.ask("/devices", headers=held).status == 200
                refused: list[Answer] = []
                waiting = set(asked)
                while len(refused) < VISITORS - AT_ONCE:
                    done, waiting = wait(waiting, 60, "FIRST_COMPLETED")
                    assert done
                    refused += [one.result() for one in done]
                assert {one.status for one in refused} == {503}
                assert all("Try again in some seconds" in one.text for one in refused)
                assert page.ask("/devices", headers=held).status == 200
                assert silent.asked == AT_ONCE
            finally:
                silent.over.set()
            assert {one.result().status for one in waiting} == {503}


@pytest.mark.parametrize(
    ("scheme", "first", "part"),
    [
        ("http", b"", b""),
        ("http", HEAD, b"X-A: b\r\n"),
        ("http", HEAD, b"X"),
        ("http", HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        ("http", HEAD + b"\r\n", b" "),
        ("http", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        ("https", b"\x16\x03\x03\x40\x00\x02", b"\x00"),
    ],
    ids=["silent", "headers", "one header", "body", "body without length", "chunks", "handshake of TLS"],
)
def test_an_exchange_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, first: bytes, part: bytes
) -> None:
    monkeypatch.setattr("edgeagent.fleet.oidc.oidc_provider.DEADLINE_S", 1.0)
    with running_bad_provider(first, part, pause_s=0.3) as provider:
        client = client_of_provider(tmp_path, f"{scheme}://localhost:{provider.port}")
        with pytest.raises(ProviderAwayError) as away:
            client.begin(SignInAttempt("/"))
        assert "within 1 s" in str(away.value.__cause__) or (scheme == "http" and not part)
        assert provider.sent < provider.most


def test_a_large_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    head = HEAD + b"Content-Length: 100000000000\r\n\r\n"
    with running_bad_provider(head, b" " * LARGEST_ANSWER, pause_s=0) as provider:
        with pytest.raises(ProviderAwayError, match="AnswerTooLargeError"):
            client_of_provider(tmp_path, provider.issuer).begin(SignInAttempt("/"))
        assert provider.sent < 50


def test_a_provider_that_is_away_is_not_asked_by_each_visitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.fleet.oidc.provider_exchange.AWAY_S", 3600.0)
    with running_bad_provider(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as provider:
        client = client_of_provider(tmp_path, provider.issuer)
        told = set()
        for _ in range(3):
            with pytest.raises(ProviderAwayError) as away:
                client.begin(SignInAttempt("/"))
            told.add(str(away.value))
        assert told == {"The identity provider does not answer (HTTPError)."}
        assert provider.asked == 1
