"""An ONVIF camera on the loopback interface: WS-Discovery by multicast, and its services over HTTP.

It checks the WS-Security digest as a camera does: with its own clock, and each nonce once.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GROUP, PORT = "239.255.255.250", 3702
TIME, DATE = ("Hour", "Minute", "Second"), ("Year", "Month", "Day")
ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<SOAP:Envelope xmlns:SOAP="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:ter="http://www.onvif.org/ver10/error" '
    'xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP:Body>{}</SOAP:Body></SOAP:Envelope>'
)
SCOPES = "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Front%20Gate onvif://www.onvif.org/hardware/IPC-7"
FAULT = (
    "<SOAP:Fault><SOAP:Code><SOAP:Value>SOAP:Sender</SOAP:Value><SOAP:Subcode><SOAP:Value>ter:NotAuthorized"
    "</SOAP:Value></SOAP:Subcode></SOAP:Code></SOAP:Fault>"
)


class OnvifCamera:
    """Camera that runs between ``with`` and its end.

    Args:
        stream: RTSP address that it names.
        user, password: of its account.
        ahead: how far its clock is ahead of that of this machine.
        services: addresses that it names in its answer to a probe; None names its own.
    """

    def __init__(
        self,
        stream: str = "rtsp://127.0.0.1:554/live",
        user: str = "anna",
        password: str = "hunter2",
        ahead: timedelta = timedelta(days=-400),
        services: str | None = None,
    ) -> None:
        self.stream, self.user, self.password, self.ahead = stream, user, password, ahead
        self.seen: list[str] = []
        self.probes, self._stopping = 0, False
        self._nonces: set[str] = set()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                camera.seen.append(body)
                status, answer = camera.answer(body)
                content = ENVELOPE.format(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}/onvif/device_service"
        self._services = services or f"http://[fe80::1]/onvif/device_service {self.address}"
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._udp.bind((GROUP, PORT))
        member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
        self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._threads = [
            threading.Thread(target=self._http.serve_forever),
            threading.Thread(target=self._discovered),
        ]

    def __enter__(self) -> OnvifCamera:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._stopping = True
        self._wake()
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def _wake(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            waker.sendto(b"end", (GROUP, PORT))

    def _discovered(self) -> None:
        while not self._stopping:
            question, sender = self._udp.recvfrom(65536)
            found = re.search(rb"<a:MessageID>([^<]+)</a:MessageID>", question)
            if found is None or b"Probe>" not in question:
                continue
            self.probes += 1
            match = (
                f"<d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{SCOPES}"
                f"</d:Scopes><d:XAddrs>{self._services}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>"
            )
            self._udp.sendto(b"\xff not XML", sender)
            self._udp.sendto(ENVELOPE.format(match).encode(), sender)

    def answer(self, body: str) -> tuple[int, str]:
        """Status and body of the answer to a request."""
        if "GetSystemDateAndTime" in body:
            now = datetime.now(timezone.utc) + self.ahead
            time = "".join(f"<tt:{name}>{getattr(now, name.lower())}</tt:{name}>" for name in TIME)
            date = "".join(f"<tt:{name}>{getattr(now, name.lower())}</tt:{name}>" for name in DATE)
            return 200, (
                "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime>"
                f"<tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>"
                "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
            )
        if not self._allowed(body):
            return 400, FAULT
        if "GetCapabilities" in body:
            media = self.address.replace("device_service", "media")
            return (
                200,
                f"<tds:Capabilities><tt:Media><tt:XAddr>{media}</tt:XAddr></tt:Media></tds:Capabilities>",
            )
        if "GetProfiles" in body:
            return 200, (
                '<trt:GetProfilesResponse><trt:Profiles token="main &amp; &lt;1>"><tt:Name>Main</tt:Name>'
                "<tt:VideoEncoderConfiguration><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>160</tt:Width>"
                "<tt:Height>128</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>20</tt:FrameRateLimit>"
                "</tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles></trt:GetProfilesResponse>"
            )
        assert "<ProfileToken>main &amp; &lt;1&gt;</ProfileToken>" in body
        scheme, _, rest = self.stream.partition("://")
        return (
            200,
            f"<trt:MediaUri><tt:Uri>{scheme}://{self.user}:{self.password}@{rest}</tt:Uri></trt:MediaUri>",
        )

    def _allowed(self, body: str) -> bool:
        parts = [
            re.search(f"<{name}[^>]*>([^<]+)</{name}>", body) for name in ("Nonce", "Created", "Password")
        ]
        if not all(parts) or f"<Username>{self.user}</Username>" not in body:
            return False
        nonce, created, digest = (part[1] for part in parts if part)
        made = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.password.encode()).digest()
        at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        late = abs(datetime.now(timezone.utc) + self.ahead - at) > timedelta(minutes=5)
        fresh = nonce not in self._nonces
        self._nonces.add(nonce)
        return fresh and not late and base64.b64encode(made).decode() == digest
