"""Snapshot addresses (http and https URLs that return one picture), requested again and again.

The certificate of a camera is not verified, as FFmpeg does not verify it either: cameras sign their own.
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from edgeagent.camera.source import SourceFacts
from edgeagent.errors import CameraError, DataError
from edgeagent.files.naming import redact
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import decode_picture

_MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_ATTEMPTS = 3
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a web server.

    Attributes:
        one_picture: whether its content is one picture.
        content: content where it is one picture, otherwise empty.
    """

    one_picture: bool
    content: bytes


class PictureRequest:
    """Request of a URL, with user name and password of the URL (basic and digest authentication).

    Args:
        url: http or https URL.
        timeout: seconds for the whole answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._name, self._timeout = redact(url), timeout
        parts = urlsplit(url)
        _, _, host = parts.netloc.rpartition("@")
        plain = urlunsplit(parts._replace(netloc=host))
        self._request = urllib.request.Request(plain, headers={"User-Agent": "edgeagent"})  # noqa: S310
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            passwords.add_password(None, plain, unquote(parts.username), unquote(parts.password or ""))
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPDigestAuthHandler(passwords),
            urllib.request.HTTPBasicAuthHandler(passwords),
        )

    def send(self) -> Answer:
        """Send the request once.

        Raises:
            CameraError: there is no answer, or it is an error or too large.
        """
        deadline = time.monotonic() + self._timeout
        try:
            with self._opener.open(self._request, timeout=self._timeout) as response:
                kind = response.headers.get_content_type()
                sized = response.headers.get("Content-Length") is not None
                content = response.read(8) if kind.startswith("image/") or sized else b""
                if not (kind.startswith("image/") or content.startswith(_STARTS)):
                    return Answer(False, b"")
                while chunk := response.read(_CHUNK):
                    content += chunk
                    if len(content) > _MAX_BYTES or time.monotonic() > deadline:
                        raise CameraError(f"{self._name} sends no picture that ends in time")
                return Answer(True, content)
        except urllib.error.HTTPError as error:
            error.close()
            raise CameraError(f"{self._name} answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CameraError(f"{self._name} does not answer: {reason}") from error


class SnapshotSource:
    """Snapshot address as a :class:`~edgeagent.camera.source.FrameSource`; live, without an end.

    Args:
        url: may contain a user name and a password.
        fps: pictures per second.
        timeout: seconds for one picture.
    """

    def __init__(self, url: str, fps: float, timeout: float) -> None:
        self._name = redact(url)
        self._request = PictureRequest(url, timeout)
        self._fps = fps
        self._unreadable = 0

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(live=True, fps=self._fps, poll_period=1.0 / self._fps)

    @property
    def position(self) -> float | None:
        return None

    @property
    def unreadable(self) -> int:
        return self._unreadable

    def open(self) -> None:
        """Do nothing: each picture is a request of its own."""

    def read(self, into: Image | None) -> Image | None:
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._request.send()
            if not answer.one_picture:
                raise CameraError(f"{self._name} no longer gives a picture")
            try:
                return decode_picture(answer.content, self._name)
            except DataError as error:
                self._unreadable += 1
                if attempt == _ATTEMPTS:
                    raise CameraError(str(error)) from error
        return None

    def close(self) -> None:
        """Do nothing: no connection stays open."""
