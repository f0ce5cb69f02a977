"""Streams of one ONVIF camera: RTSP addresses and sizes, asked of its services over HTTP.

::

    GetSystemDateAndTime (clock of the camera) -> GetCapabilities (address of the media service)
        -> GetProfiles -> GetStreamUri of each

The password never leaves this machine: a request carries the digest of WS-Security UsernameToken, made with
the camera's own time. Sources: ONVIF Core and Media Service Specifications; OASIS UsernameToken Profile 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit, urlunsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edgeagent.camera.finding.found_camera import FoundCamera, PictureFormat
from edgeagent.camera.finding.ws_discovery import is_at, parse_soap
from edgeagent.errors import CameraError
from edgeagent.files.naming import escape_controls, redact, shortened

MOST_BYTES, MOST_PROFILES = 1 << 20, 8
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_TYPES = "http://www.onvif.org/ver10/schema"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_DIGEST = f"{_WSS}username-token-profile-1.0#PasswordDigest"


@dataclass(frozen=True, slots=True)
class OnvifLogin:
    """Account of a camera.

    Attributes:
        user: its name.
        password: its password.
    """

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OnvifStream:
    """Stream of a camera.

    Attributes:
        profile: its name.
        address: RTSP address without credentials.
        format: of the pictures.
    """

    profile: str
    address: str
    format: PictureFormat | None


class OnvifService:
    """Services of one camera.

    Args:
        address: of the device service, ``http://ADDRESS/...``.
        login: account; None asks without one.
        timeout_s: for each answer.
    """

    def __init__(self, address: str, login: OnvifLogin | None = None, timeout_s: float = 5.0) -> None:
        self._address, self._login, self._timeout_s = address, login, timeout_s
        self._host = urlsplit(address).hostname or ""
        self._ahead = timedelta()
        context = ssl.create_default_context()  # cameras sign their own certificates
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _StayThere(), urllib.request.HTTPSHandler(context=context)
        )

    def streams(self) -> tuple[OnvifStream, ...]:
        """Return the streams, as the camera lists them.

        Raises:
            CameraError: it does not answer, wants an account, or refuses this one.
        """
        if self._login is not None:
            self._read_clock()
        media = self._media_address()
        found: list[OnvifStream] = []
        for profile in self._ask(media, f'<GetProfiles xmlns="{_MEDIA}"/>').iter(f"{{{_MEDIA}}}Profiles"):
            token = profile.get("token")
            if token is not None and len(found) < MOST_PROFILES:
                address = self._stream_address(media, token)
                name = profile.findtext(f"{{{_TYPES}}}Name") or token
                found.append(OnvifStream(shortened(escape_controls(name), 60), address, _format(profile)))
        return tuple(found)

    def _read_clock(self) -> None:
        """Read the clock of the camera, as a digest of another time is refused."""
        try:
            answer = self._ask(self._address, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>', signed=False)
        except CameraError:
            return
        utc = answer.find(f".//{{{_TYPES}}}UTCDateTime")
        parts = [("Date", name) for name in ("Year", "Month", "Day")]
        parts += [("Time", name) for name in ("Hour", "Minute", "Second")]
        numbers = [_number(utc, f"{{{_TYPES}}}{part}/{{{_TYPES}}}{name}") for part, name in parts]
        try:
            year, month, day, hour, minute, second = [int(one) for one in numbers if one is not None]
            clock = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        except ValueError:  # parts are missing, or are no time
            return
        self._ahead = clock - datetime.fromtimestamp(time.time(), timezone.utc)

    def _media_address(self) -> str:
        body = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
        media = self._ask(self._address, body).find(f".//{{{_TYPES}}}Media/{{{_TYPES}}}XAddr")
        address = (media.text or "").strip() if media is not None else ""
        if not is_at(address, self._host):
            raise CameraError(
                f"{redact(self._address)}: the camera names no media service at its own address"
            )
        return address

    def _stream_address(self, media: str, token: str) -> str:
        body = (
            f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup><Stream xmlns="{_TYPES}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{_TYPES}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
            f"<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>"
        )
        address = (self._ask(media, body).findtext(f".//{{{_TYPES}}}Uri") or "").strip()
        parts = urlsplit(address)
        if not re.fullmatch(r"rtsps?", parts.scheme) or re.search(r"[\x00-\x20\x7f]", address):
            raise CameraError(f"{redact(self._address)}: the camera names no RTSP address")
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def _ask(self, address: str, body: str, signed: bool = True) -> Element:
        security = self._security() if signed and self._login is not None else ""
        message = (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}">{security}'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        headers = {"Content-Type": "application/soap+xml; charset=utf-8", "User-Agent": "edgeagent"}
        request = urllib.request.Request(address, message.encode(), headers)  # noqa: S310 (is_at)
        shown = redact(address)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                content = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                content = error.read(MOST_BYTES)
            if error.code in (401, 403) or b"NotAuthorized" in content:
                raise CameraError(self._refused(shown)) from None
            raise CameraError(f"{shown} answers {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CameraError(f"{shown} does not answer: {getattr(error, 'reason', None) or error}") from None
        root = parse_soap(content) if len(content) <= MOST_BYTES else None
        if root is None:
            raise CameraError(f"{shown}: the answer is no SOAP message")
        if b"NotAuthorized" in content:
            raise CameraError(self._refused(shown))
        return root

    def _refused(self, shown: str) -> str:
        if self._login is None:
            return f"{shown}: the camera names its streams only to an account; give user and password"
        return f"{shown}: the camera refuses user or password; ONVIF may need an account of its own there"

    def _security(self) -> str:
        assert self._login is not None  # noqa: S101 (of the caller)
        nonce = secrets.token_bytes(16)
        now = datetime.fromtimestamp(time.time(), timezone.utc) + self._ahead
        created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        password = self._login.password.encode()
        digest = hashlib.sha1(nonce + created.encode() + password, usedforsecurity=False).digest()
        return (
            f'<s:Header><Security s:mustUnderstand="1" xmlns="{_WSS}wssecurity-secext-1.0.xsd">'
            "<UsernameToken>"
            f"<Username>{escape(self._login.user)}</Username>"
            f'<Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</Password>'
            f"<Nonce>{base64.b64encode(nonce).decode()}</Nonce>"
            f'<Created xmlns="{_WSS}wssecurity-utility-1.0.xsd">{created}</Created>'
            "</UsernameToken></Security></s:Header>"
        )


class _StayThere(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: a camera does not send its visitors elsewhere."""

    def redirect_request(self, *_: object) -> None:
        return None


def with_streams(
    camera: FoundCamera, login: OnvifLogin | None, timeout_s: float = 5.0
) -> tuple[FoundCamera, ...]:
    """Return a camera of ONVIF once for each of its streams; once with the reason where it names none."""
    try:
        streams = OnvifService(camera.address, login, timeout_s).streams()
    except CameraError as error:
        return (replace(camera, problem=str(error)),)
    return tuple(
        FoundCamera(
            "onvif",
            f"{camera.name}, {one.profile}",
            one.address,
            (one.format,) if one.format is not None else (),
        )
        for one in streams
    ) or (replace(camera, problem=f"{camera.address}: the camera has no streams"),)


def _format(profile: Element) -> PictureFormat | None:
    encoder = profile.find(f"{{{_TYPES}}}VideoEncoderConfiguration")
    if encoder is None:
        return None
    codec = encoder.findtext(f"{{{_TYPES}}}Encoding") or "unknown"
    size = f"{{{_TYPES}}}Resolution/{{{_TYPES}}}"
    fps = _number(encoder, f"{{{_TYPES}}}RateControl/{{{_TYPES}}}FrameRateLimit")
    width, height = _number(encoder, f"{size}Width"), _number(encoder, f"{size}Height")
    known = width is not None and height is not None
    codec = shortened(escape_controls(codec), 20)
    return PictureFormat(codec, int(width or 0) if known else None, int(height or 0) if known else None, fps)


def _number(element: Element | None, path: str) -> float | None:
    text = element.findtext(path) if element is not None else None
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e6 else None
