"""TLS with real certificates, and real proxies, on loopback."""

from __future__ import annotations

import base64
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from edgeagent.delivery.errors import RefusedError, UnreachableError, WrongClockError
from edgeagent.errors import DeliveryError
from tests.delivery.conftest import MODEL, NewClient
from tests.delivery.server import Proxy, Server
from tests.delivery.signed_repository import Repository
from tests.telemetry.certificates import Certificates, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(repository: Repository, certificates: Certificates) -> Iterator[Server]:
    """The repository over TLS."""
    with Server(repository.folder, (certificates.broker, certificates.broker_key)) as running:
        yield running


def fetched(new_client: NewClient, folder: Path, **settings: object) -> bytes:
    """What a device with these settings fetches."""
    client = new_client(**settings)
    release = client.refresh().releases[-1]
    client.fetch(release, "model.onnx", folder / "model.onnx")
    return (folder / "model.onnx").read_bytes()


def test_an_authority_that_is_named(
    new_client: NewClient, secure: Server, certificates: Certificates, tmp_path: Path
) -> None:
    assert fetched(new_client, tmp_path, repository=secure.url, ca=certificates.ca) == MODEL


def test_an_unknown_authority(
    new_client: NewClient, secure: Server, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "other")
    for ca in (None, other.ca):
        with pytest.raises(
            RefusedError, match=r"certificate of the server is not trusted .*name the file with its"
        ):
            new_client(repository=secure.url, ca=ca).refresh()
    assert secure.asked == []
    assert not (tmp_path / "device" / "metadata" / "timestamp.json").exists()


def test_a_certificate_for_another_host(
    new_client: NewClient, secure: Server, certificates: Certificates
) -> None:
    url = secure.url.replace("127.0.0.1", "localhost")
    with pytest.raises(RefusedError, match=r"is not trusted .*localhost"):
        new_client(repository=url, ca=certificates.ca).refresh()


@pytest.mark.parametrize(
    ("begin", "end", "error", "why"),
    [
        (
            "21000101000000Z",
            "21010101000000Z",
            WrongClockError,
            "not yet valid, and the clock of this device shows 2",
        ),
        ("20200101000000Z", "20210101000000Z", RefusedError, "expired.*; the clock of this device shows 2"),
    ],
)
def test_a_certificate_out_of_its_time(
    new_client: NewClient,
    repository: Repository,
    tmp_path: Path,
    begin: str,
    end: str,
    error: type[DeliveryError],
    why: str,
) -> None:
    key, certificate = tmp_path / "own.key", tmp_path / "own.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    names = ["-subj", "/CN=own", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = tmp_path / "own.csr"
    subprocess.run(["openssl", "req", *curve, *names, "-out", str(made)], check=True, capture_output=True)
    folder = tmp_path / "authority"
    folder.mkdir()
    (folder / "index").touch()
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
        "default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n",
        encoding="ascii",
    )
    sign = ["openssl", "ca", "-batch", "-selfsign", "-config", str(folder / "ca.cnf"), "-keyfile", str(key)]
    dates = ["-startdate", begin, "-enddate", end, "-in", str(made), "-out", str(certificate), "-notext"]
    subprocess.run([*sign, *dates], check=True, capture_output=True)
    with (
        Server(repository.folder, (certificate, key)) as server,
        pytest.raises(error, match=why),
    ):
        new_client(repository=server.url, ca=certificate).refresh()


def test_a_file_of_certificates_that_is_none(new_client: NewClient, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(DeliveryError, match=r"ca\.pem: holds no certificates in PEM"):
        new_client(ca=tmp_path / "ca.pem")
    with pytest.raises(DeliveryError, match=r"missing\.pem: cannot be read \(No such file"):
        new_client(ca=tmp_path / "missing.pem")


def test_a_server_without_tls(new_client: NewClient, server: Server) -> None:
    with pytest.raises(UnreachableError, match=r"2\.root\.json: cannot be reached"):
        new_client(repository=server.url.replace("http", "https")).refresh()


def test_no_way_from_https_to_http(
    new_client: NewClient, secure: Server, server: Server, certificates: Certificates, tmp_path: Path
) -> None:
    secure.answer_always("model.onnx", lambda handler, _: handler.answer(302, b"", {"Location": server.url}))
    with pytest.raises(RefusedError, match=r"redirects to http://.*only https may follow https"):
        fetched(new_client, tmp_path, repository=secure.url, ca=certificates.ca)
    assert server.asked == []


def test_from_http_to_https(
    new_client: NewClient, secure: Server, server: Server, certificates: Certificates, tmp_path: Path
) -> None:
    server.answer_always(
        "", lambda handler, _: handler.answer(301, b"", {"Location": f"{secure.url}{handler.path}"})
    )
    assert fetched(new_client, tmp_path, ca=certificates.ca) == MODEL


def test_a_proxy(new_client: NewClient, server: Server, tmp_path: Path) -> None:
    with Proxy() as proxy:
        assert fetched(new_client, tmp_path, proxy=f"http://127.0.0.1:{proxy.server_port}") == MODEL
        assert f"GET {server.url}/metadata/timestamp.json" in proxy.seen.lines


def test_a_proxy_for_tls_that_wants_a_login(
    new_client: NewClient, secure: Server, certificates: Certificates, tmp_path: Path
) -> None:
    login = "Basic " + base64.b64encode(b"gate:p@ss").decode()
    with Proxy(login) as proxy:
        url = f"127.0.0.1:{proxy.server_port}"
        settings = {"repository": secure.url, "ca": certificates.ca}
        assert fetched(new_client, tmp_path, proxy=f"http://gate:p%40ss@{url}", **settings) == MODEL
        assert set(proxy.seen.lines) == {f"CONNECT 127.0.0.1:{secure.server_port}"}
        with pytest.raises(UnreachableError, match=r"cannot be reached, by the proxy \(.*407") as caught:
            new_client(proxy=f"http://gate:wrong-secret@{url}", **settings).refresh()
        assert "wrong-secret" not in str(caught.value)


def test_the_proxy_of_the_environment(
    new_client: NewClient, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        assert fetched(new_client, tmp_path) == MODEL
        seen = len(proxy.seen.lines)
        assert seen > 0
        monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
        new_client().refresh()
        assert len(proxy.seen.lines) == seen


def test_a_proxy_that_is_gone(new_client: NewClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        port = proxy.server_port
    with pytest.raises(UnreachableError, match=r"cannot be reached, by the proxy \(Connection refused\)"):
        new_client(proxy=f"http://127.0.0.1:{port}").refresh()
    with pytest.raises(ValidationError, match=r"proxy\n.*expected http:// or https://"):
        new_client(proxy="socks://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "socks://127.0.0.1:1")
    with pytest.raises(DeliveryError, match=r"socks://127.0.0.1:1: is not an HTTP proxy"):
        new_client().refresh()


def test_a_login_of_the_repository(
    new_client: NewClient,
    server: Server,
    repository: Repository,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It goes to that server only, and into no message and no log."""
    caplog.set_level(logging.DEBUG)
    url = server.url.replace("//", "//gate:p%40ss@")
    with Server(repository.folder) as elsewhere:
        server.answer_always(
            "model.onnx",
            lambda handler, _: handler.answer(302, b"", {"Location": f"{elsewhere.url}{handler.path}"}),
        )
        assert fetched(new_client, tmp_path, repository=url) == MODEL
        login = "Basic " + base64.b64encode(b"gate:p@ss").decode()
        assert {asked.authorization for asked in server.asked} == {login}
        assert {asked.authorization for asked in elsewhere.asked} == {None}
    server.answer_always("timestamp.json", lambda handler, _: handler.answer(401, b""))
    with pytest.raises(UnreachableError, match="status 401") as caught:
        new_client(repository=url).refresh()
    assert "ss@" not in str(caught.value)
    assert "timestamp.json" in caplog.text
    assert "p%40ss" not in caplog.text


def test_a_query_of_the_address_is_sent_with_every_file(
    new_client: NewClient, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed addresses of object stores; the signature stays out of the log."""
    query = "sv=2024-11-04&sig=aS3C%2Fb%3D"
    with caplog.at_level(logging.DEBUG):
        assert fetched(new_client, tmp_path, repository=f"{server.url}?{query}") == MODEL
    assert {asked.query for asked in server.asked} == {query}
    assert {asked.path.rpartition(".")[2] for asked in server.asked} >= {"json", "onnx"}
    assert "S3C" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("edgeagent", "tuf"))
    )


def test_a_query_stays_out_of_errors(new_client: NewClient) -> None:
    with pytest.raises(UnreachableError) as caught:
        new_client(repository="http://127.0.0.1:1/models?sv=1&sig=S3C").refresh()
    assert "sig=***" in str(caught.value)
    assert "S3C" not in str(caught.value)
