"""A stand-in for a hawkBit server: the DDI resources of one tenant and one device, over real HTTP.

It answers as hawkBit's DdiRootController does, as far as a device can see: which links there are in which
state of an action, what each feedback makes of it, and the status codes. Actions, tokens and failures are set
by the test.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

EXECUTIONS = (
    *("closed", "proceeding", "canceled", "scheduled"),
    *("rejected", "resumed", "downloaded", "download"),
)
FINISHED = ("success", "failure", "none")
TOKEN = "4ea79e2a"
CONTROLLER = "gate-pi"
MAX_STATUS_ENTRIES = 1000

Kind = Literal["forced", "soft", "downloadonly"]


@dataclass
class Action:
    """An assignment to the device.

    Attributes:
        id: of it.
        modules: name and version of each software module.
        kind: how urgent it is.
        window: state of its maintenance window; None without one.
        skip_download: what current servers never send, but the API has.
        status: as hawkBit names it.
        active: whether it is open.
        history: status and messages of each entry, the oldest first.
    """

    id: str
    modules: tuple[tuple[str, str], ...]
    kind: Kind = "forced"
    window: Literal["available", "unavailable"] | None = None
    skip_download: bool = False
    status: str = "RUNNING"
    active: bool = True
    history: list[tuple[str, list[str]]] = field(default_factory=list)

    def enter(self, status: str, messages: list[str]) -> None:
        """Take an entry into the history."""
        self.history.append((status, messages))
        assert len(self.history) <= MAX_STATUS_ENTRIES

    @property
    def etag(self) -> int:
        """Changes with what the payload depends on."""
        return hash((self.id, self.kind, self.window, self.skip_download))


class HawkbitServer:
    """Serves between ``with`` and its end.

    Args:
        tls: None serves in clear text.

    Attributes:
        actions: by id.
        sleep: polling interval that is told.
        attributes: that the device has sent.
        wants_attributes: whether they are asked for.
        confirmation: whether the oldest action waits for a confirmation.
        failures: status codes that the next requests are answered with, instead of what they ask for.
        retry_after: header of these; None for none.
        authorization: that is accepted.
        link_origin: what links begin with; None is where the server was asked.
        requests: method and path of all that came.
        garbage: body of the next answers, instead of JSON.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.actions: dict[str, Action] = {}
        self.sleep: str | None = "12:00:00"
        self.attributes: dict[str, str] = {}
        self.wants_attributes = True
        self.confirmation = False
        self.failures: deque[int] = deque()
        self.retry_after: str | None = None
        self.authorization = f"TargetToken {TOKEN}"
        self.link_origin: str | None = None
        self.requests: list[tuple[str, str]] = []
        self.garbage: bytes | None = None
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Of the server."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def assign(self, *modules: tuple[str, str], **more: Any) -> Action:
        """Begin an action."""
        action = Action(str(len(self.actions) + 7), modules, **more)
        with self.changed:
            self.actions[action.id] = action
        return action

    def cancel(self, action: Action) -> None:
        """Ask the device to cancel an action."""
        with self.changed:
            action.status = "CANCELING"

    def force_quit(self, action: Action) -> None:
        """Close an action without asking the device."""
        with self.changed:
            action.status, action.active = "CANCELED", False

    def __enter__(self) -> HawkbitServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, origin: str, body: bytes) -> tuple[int, Any]:
        """Return status code and JSON of a request that may be answered."""
        path, _, query = path.partition("?")
        root = f"/DEFAULT/controller/v1/{CONTROLLER}"
        if not path.startswith(root):
            return 404, None
        parts = path.removeprefix(root).strip("/").split("/")
        if parts == [""]:
            return (200, self._root(origin + root)) if method == "GET" else (405, None)
        if parts == ["configData"]:
            return self._config_data(method, body)
        if (
            parts[0] not in ("deploymentBase", "cancelAction", "installedBase")
            or parts[1] not in self.actions
        ):
            return 404, None
        action = self.actions[parts[1]]
        if parts[2:] == ["feedback"]:
            if method != "POST":
                return 405, None
            return self._feedback(action, body, parts[0] == "cancelAction")
        if method != "GET":
            return 405, None
        if parts[0] == "cancelAction":
            return self._cancel_action(action)
        if parts[0] == "deploymentBase":
            assert query == f"c={action.etag}"
            return self._deployment(action, origin + root)
        return 404, None

    def _active(self) -> Action | None:
        return next((action for action in self.actions.values() if action.active), None)

    def _root(self, base: str) -> dict[str, Any]:
        links = {}
        action = self._active()
        if action is not None:
            if self.confirmation:
                links["confirmationBase"] = f"{base}/confirmationBase/{action.id}?c={action.etag}"
            elif action.status == "CANCELING":
                links["cancelAction"] = f"{base}/cancelAction/{action.id}"
            else:
                links["deploymentBase"] = f"{base}/deploymentBase/{action.id}?c={action.etag}"
        done = [action for action in self.actions.values() if action.status == "FINISHED"]
        if done:
            links["installedBase"] = f"{base}/installedBase/{done[-1].id}"
        if self.wants_attributes:
            links["configData"] = f"{base}/configData"
        polling = {} if self.sleep is None else {"sleep": self.sleep}
        root: dict[str, Any] = {"config": {"polling": polling}}
        if links:
            root["_links"] = {name: {"href": href} for name, href in links.items()}
        return root

    def _deployment(self, action: Action, base: str) -> tuple[int, Any]:
        if action.status in ("CANCELING", "CANCELED"):
            return 404, None
        urgency = "attempt" if action.kind == "soft" else "forced"
        update = "skip" if action.kind == "downloadonly" or action.window == "unavailable" else urgency
        chunks = []
        for number, (name, version) in enumerate(action.modules):
            link = f"{base}/softwaremodules/{number}/artifacts/manifest.yaml"
            content = f"{name} {version}".encode()
            hashes = {kind: hashlib.new(kind, content).hexdigest() for kind in ("sha1", "md5", "sha256")}
            artifact = {
                "filename": "manifest.yaml",
                "hashes": hashes,
                "size": len(content),
                "_links": {"download-http": {"href": link}, "md5sum-http": {"href": f"{link}.MD5SUM"}},
            }
            chunks.append({"part": "bApp", "version": version, "name": name, "artifacts": [artifact]})
        deployment = {
            "download": "skip" if action.skip_download else urgency,
            "update": update,
            "chunks": chunks,
        }
        if action.window is not None:
            deployment["maintenanceWindow"] = action.window
        if not action.history or action.history[-1][0] != "RETRIEVED":
            action.enter("RETRIEVED", [])
        return 200, {"id": action.id, "deployment": deployment}

    def _cancel_action(self, action: Action) -> tuple[int, Any]:
        if action.status not in ("CANCELING", "CANCELED"):
            return 404, None
        return 200, {"id": action.id, "cancelAction": {"stopId": action.id}}

    def _config_data(self, method: str, body: bytes) -> tuple[int, Any]:
        if method != "PUT":
            return 405, None
        sent = json.loads(body)
        data = sent.get("data")
        if sent.get("mode", "merge") != "merge" or not data:
            return 400, None
        if any(not isinstance(value, str) or len(value) > 128 for value in data.values()):
            return 400, None
        self.attributes.update(data)
        self.wants_attributes = False
        return 200, None

    def _feedback(self, action: Action, body: bytes, of_cancellation: bool) -> tuple[int, Any]:
        status = json.loads(body)["status"]
        execution, finished = status["execution"], status["result"]["finished"]
        progress = status["result"].get("progress", {"cnt": 0, "of": 0})
        if execution not in EXECUTIONS or finished not in FINISHED or set(progress) != {"cnt", "of"}:
            return 400, None
        if of_cancellation:
            self._take_cancellation(action, execution, finished, status["details"])
            return 200, None
        if not action.active:
            return 410, None
        self._take(action, execution, finished, status["details"])
        return 200, None

    def _take(self, action: Action, execution: str, finished: str, details: list[str]) -> None:
        if execution == "closed":
            failed = finished == "failure"
            action.status, action.active = ("ERROR" if failed else "FINISHED"), False
            self.wants_attributes = self.wants_attributes or not failed
        elif execution == "canceled" and action.status == "CANCELING":
            action.status, action.active = "CANCELED", False
        elif execution == "downloaded" and action.kind == "downloadonly":
            action.status, action.active = "DOWNLOADED", False
        action.enter(execution, details)

    def _take_cancellation(self, action: Action, execution: str, finished: str, details: list[str]) -> None:
        if execution == "rejected":
            action.status = "RUNNING"
        elif execution == "closed":
            action.status, action.active = ("ERROR" if finished == "failure" else "CANCELED"), False
        action.enter(f"cancel {execution}", details)


def _handler(server: HawkbitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Be quiet."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with server.changed:
                server.requests.append((self.command, self.path))
                status, answer = self._answer(body)
                server.changed.notify_all()
            content = b"" if answer is None else json.dumps(answer).encode()
            if server.garbage is not None and status == 200:
                content = server.garbage
            self.send_response(status)
            if status in (429, 503) and server.retry_after is not None:
                self.send_header("Retry-After", server.retry_after)
            if status == 302:
                self.send_header("Location", f"{server.url}/elsewhere")
            self.send_header("Content-Type", "application/hal+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(self, body: bytes) -> tuple[int, Any]:
            if server.failures:
                return server.failures.popleft(), None
            if self.headers.get("Authorization") != server.authorization:
                return 401, None
            origin = server.link_origin or server.url
            return server.answer(self.command, self.path, origin, body)

    return Handler
