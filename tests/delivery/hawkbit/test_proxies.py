"""hawkBit behind real proxies, on loopback."""

from __future__ import annotations

import base64
import logging
import ssl
from pathlib import Path

import pytest

from edgeagent.delivery.hawkbit.conversation import Hawkbit
from edgeagent.delivery.hawkbit.ddi import ServerError
from edgeagent.errors import DeliveryError
from tests.delivery.hawkbit.driven import Walker, connect
from tests.delivery.hawkbit.server import CONTROLLER, HawkbitServer
from tests.delivery.server import Proxy
from tests.telemetry.certificates import make_certificates

LOGIN = "Basic " + base64.b64encode(b"gate:p@ss").decode()
ROOT = f"DEFAULT/controller/v1/{CONTROLLER}"
USUAL_S = 43200.0


def address(proxy: Proxy, login: str = "") -> str:
    return f"http://{login}127.0.0.1:{proxy.server_port}"


def test_the_configured_proxy(server: HawkbitServer, walker: Walker, token: Path) -> None:
    with Proxy() as proxy:
        assert connect(server.url, walker, token, proxy=address(proxy)).poll() == USUAL_S
        assert proxy.seen.lines == [f"GET {server.url}/{ROOT}", f"PUT {server.url}/{ROOT}/configData"]
    assert server.attributes["boards"] == "rpi5,any"


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment(
    server: HawkbitServer, hawkbit: Hawkbit, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv(variable, address(proxy))
        assert hawkbit.poll() == USUAL_S
        seen = len(proxy.seen.lines)
        assert seen == 2
        monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
        assert hawkbit.poll() == USUAL_S
        assert len(proxy.seen.lines) == seen


def test_a_proxy_that_wants_a_login(
    server: HawkbitServer, walker: Walker, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Proxy(LOGIN) as proxy:
        url = address(proxy, "gate:p%40ss@")
        assert connect(server.url, walker, token, proxy=url).poll() == USUAL_S
        assert set(proxy.seen.authorizations) == {LOGIN}
        with pytest.raises(ServerError, match=r"a proxy that refuses its login \(status 407\)") as caught:
            connect(server.url, walker, token, proxy=address(proxy, "gate:wrong-secret@")).poll()
    assert "wrong-secret" not in str(caught.value)
    assert "p%40ss" not in caplog.text


def test_a_tunnel_through_a_proxy_that_wants_a_login(walker: Walker, token: Path, tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "certificates")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.broker, files.broker_key)
    with HawkbitServer(tls) as server, Proxy(LOGIN) as proxy:
        url = address(proxy, "gate:p%40ss@")
        assert connect(server.url, walker, token, files.ca, url).poll() == USUAL_S
        assert set(proxy.seen.lines) == {f"CONNECT {server.url.removeprefix('https://')}"}
        with pytest.raises(ServerError, match=r"cannot be reached \(.*407") as caught:
            connect(server.url, walker, token, files.ca, address(proxy, "gate:wrong-secret@")).poll()
    assert "wrong-secret" not in str(caught.value)


def test_a_proxy_that_cannot_be_used_is_named(server: HawkbitServer, walker: Walker, token: Path) -> None:
    with pytest.raises(DeliveryError, match=r"socks://\*\*\*@127.0.0.1:1: is not an HTTP proxy"):
        connect(server.url, walker, token, proxy="socks://gate:secret@127.0.0.1:1").poll()
