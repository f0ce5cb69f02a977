"""ONVIF cameras that answer on the loopback interface: found, asked for their streams, and not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from edgeagent.camera.finding.found_camera import FoundCamera, PictureFormat
from edgeagent.camera.finding.onvif_media import OnvifLogin, OnvifService, with_streams
from edgeagent.camera.finding.ws_discovery import find_onvif, is_at, local_addresses, parse_soap, read_matches
from edgeagent.errors import CameraError, ConfigurationError
from tests.camera.finding.onvif_camera import ENVELOPE, OnvifCamera

HERE = ("127.0.0.1",)
ANNA = OnvifLogin("anna", "hunter2")


@pytest.fixture(scope="module")
def camera() -> Iterator[OnvifCamera]:
    with OnvifCamera() as camera:
        yield camera


def test_a_camera_is_found_with_its_name(camera: OnvifCamera) -> None:
    assert FoundCamera("onvif", "Front Gate IPC-7", camera.address) in find_onvif(4.0, HERE)
    assert camera.probes >= 1


def test_its_streams_are_named_without_the_password_that_never_leaves(camera: OnvifCamera) -> None:
    (found,) = with_streams(FoundCamera("onvif", "Gate", camera.address), ANNA)
    assert (found.name, found.address) == ("Gate, Main", "rtsp://127.0.0.1:554/live")
    assert found.formats == (PictureFormat("H264", 160, 128, 20.0),)
    assert not any("hunter2" in body for body in camera.seen)
    assert "hunter2" not in repr(ANNA)


@pytest.mark.parametrize(
    ("login", "says"), [(None, "give user and password"), (OnvifLogin("anna", "x"), "refuses")]
)
def test_a_refusal_says_what_to_do(camera: OnvifCamera, login: OnvifLogin | None, says: str) -> None:
    (found,) = with_streams(FoundCamera("onvif", "Gate", camera.address), login)
    assert says in (found.problem or "")
    assert found.address == camera.address


def test_a_camera_that_does_not_answer_says_so() -> None:
    with pytest.raises(CameraError, match="does not answer"):
        OnvifService("http://127.0.0.1:9/onvif/device_service").streams()


def test_an_address_elsewhere_is_not_followed() -> None:
    with OnvifCamera(services="http://10.0.0.1/onvif http://evil@127.0.0.1/ ftp://127.0.0.1/") as liar:
        assert not [
            one for one in find_onvif(4.0, HERE) if "10.0.0.1" in one.address or "evil" in one.address
        ]
        assert liar.probes >= 1
    with OnvifCamera(ahead=timedelta()) as camera:
        camera.address = camera.address.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(CameraError, match="no media service at its own address"):
            OnvifService(camera.address.replace("127.0.0.2", "127.0.0.1"), ANNA).streams()


def test_an_interface_that_is_not_here_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"interface 192.0.2.1: cannot be used"):
        find_onvif(0.1, ("192.0.2.1",))
    with pytest.raises(ConfigurationError, match="interface eth0: cannot be used"):
        find_onvif(0.1, ("eth0",))


def test_the_interfaces_of_this_machine_are_known() -> None:
    assert "127.0.0.1" in local_addresses()


def test_a_host_is_compared_as_an_address() -> None:
    assert is_at("http://127.0.0.1:80/onvif", "127.0.0.1")
    for url in (
        "http://camera/x",
        "http://127.0.0.1:99999/",
        "rtsp://127.0.0.1/",
        "http://[::1",
        "http://127.0.0.1/ x",
    ):
        assert not is_at(url, "127.0.0.1"), url


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        ENVELOPE.format("").encode().replace(b"<SOAP:Body>", b"<!DOCTYPE x><SOAP:Body>"),
        b'<?xml version="1.0" encoding="nothing"?><a/>',
    ],
)
def test_what_is_no_answer_is_left(content: bytes) -> None:
    assert parse_soap(content) is None
    assert read_matches(content) == ()
