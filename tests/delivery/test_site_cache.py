"""config/site-cache in a real nginx: a hundred devices, and each file is fetched from the repository once."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeagent.delivery.repository.client import Client
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.broker import free_port
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository, in_days

SAMPLE = Path(__file__).parents[2] / "config" / "site-cache" / "nginx.conf"
DEVICES, AT_ONCE = 100, 20
PATIENCE = 60.0
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/edgeagent-cache.conf;
}}
"""


class SiteCache:
    """An nginx with the sample, between a repository and devices.

    Args:
        folder: for its configuration and its cache.
        upstream: address of the repository.
        changing: how long the timestamp and answers without a file are kept.
    """

    def __init__(self, folder: Path, upstream: str, changing: str = "10s") -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            pytest.skip("nginx is not installed (package nginx-light)")
        folder.mkdir()
        self.port, self._folder = free_port(), folder
        text = SAMPLE.read_text(encoding="utf-8")
        assert text.count("REPOSITORY") == 4  # three lines, and the one that explains them
        for old, new in (
            ("https://models.example.org", upstream),
            ("listen 8080", f"listen 127.0.0.1:{self.port}"),
            ("/var/cache/nginx/edgeagent", str(folder / "cache")),
            (" 10s;", f" {changing};"),
        ):
            assert old in text
            text = text.replace(old, new)
        (folder / "edgeagent-cache.conf").write_text(text, encoding="utf-8")
        user = "user root;\n" if os.geteuid() == 0 else ""  # folders of tests are private
        main = folder / "nginx.conf"
        main.write_text(user + MAIN.format(folder=folder), encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main)]
        )

    @property
    def url(self) -> str:
        """Address that devices are given."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                assert self.process.poll() is None, (self._folder / "error.log").read_text(encoding="utf-8")

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(PATIENCE)


@contextmanager
def cached(folder: Path, upstream: str, changing: str = "10s") -> Iterator[SiteCache]:
    cache = SiteCache(folder, upstream, changing)
    try:
        cache.wait()
        yield cache
    finally:
        cache.stop()


class CachedDevice:
    """A device that asks the cache."""

    def __init__(self, folder: Path, url: str, root: Path) -> None:
        self._folder = folder
        self._client = Client(DeliverySettings(repository=url, root=root), folder / "metadata")

    def update(self) -> str:
        """Take the newest release whole, and return its version."""
        release = self._client.refresh().releases[-1]
        for file in release.files:
            self._client.fetch(release, file, self._folder / release.version / file)
        return release.version


def devices(folder: Path, url: str, root: Path, count: int) -> list[CachedDevice]:
    return [CachedDevice(folder / f"device-{number}", url, root) for number in range(count)]


def once(asked: list[str]) -> dict[str, int]:
    """Return how often files that never change were asked for more than once."""
    changing = re.compile(r"/metadata/(timestamp|\d+\.root)\.json")
    return {
        path: count for path, count in Counter(asked).items() if count > 1 and not changing.fullmatch(path)
    }


def eventually(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline


def test_a_hundred_devices_are_one_fetch(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    artefacts = {f"model-{number}.bin": bytes([number]) * 300_000 for number in range(3)}
    repository.add(artefacts)
    with Server(repository.folder) as server, cached(tmp_path / "nginx", server.url) as cache:
        fleet = devices(tmp_path, cache.url, repository.trusted, DEVICES)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            versions = list(pool.map(CachedDevice.update, fleet))
        assert versions == ["1.0.0"] * DEVICES
        asked = [one.path for one in server.asked]
        fetched = {path for path in asked if path.startswith("/targets/stable/coco-nano/")}
        assert len(fetched) == len(artefacts) + 1
        assert once(asked) == {}
        assert all(one.range is None for one in server.asked)
        assert server.sent < 1.1 * sum(map(len, artefacts.values()))
        changing = Counter(asked)["/metadata/timestamp.json"]
        assert 1 <= changing < DEVICES / 2


def test_a_new_release_comes_through(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.add({"model.bin": b"1" * 1000})
    with Server(repository.folder) as server, cached(tmp_path / "nginx", server.url, "1s") as cache:
        (device,) = devices(tmp_path, cache.url, repository.trusted, 1)
        assert device.update() == "1.0.0"
        repository.add({"model.bin": b"2" * 1000}, version="1.1.0")
        eventually(lambda: device.update() == "1.1.0")
        assert once([one.path for one in server.asked]) == {}


def test_without_the_repository_a_new_device_is_served_and_expiry_is_not_hidden(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.add({"model.bin": b"1" * 1000})
    with Server(repository.folder) as server, cached(tmp_path / "nginx", server.url, "1s") as cache:
        first, second, third = devices(tmp_path, cache.url, repository.trusted, 3)
        assert first.update() == "1.0.0"
        server.answer_always(".json", lambda handler, content: handler.answer(503, b""))
        assert second.update() == "1.0.0"  # from the cache, also when its timestamp is older than a second
        server.answer_always(".json", None)
        repository.timestamp.signed.expires = in_days(-1)
        repository.publish()
        eventually(lambda: _is_refused(first))
        server.answer_always(".json", lambda handler, content: handler.answer(503, b""))
        with pytest.raises(DeliveryError, match="expired"):
            third.update()


def _is_refused(device: CachedDevice) -> bool:
    try:
        device.update()
    except DeliveryError as error:
        assert "expired" in str(error)
        return True
    return False
