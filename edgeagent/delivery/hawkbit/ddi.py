"""Client of the Direct Device Integration (DDI) API, version 1, of Eclipse hawkBit.

Resources below ``/<tenant>/controller/v1/<controller>`` (https://eclipse.dev/hawkbit/rest-api/ddi/)::

    GET  .                              polling interval, links to the open actions
    GET  deploymentBase/<action>        software to install, and its urgency  POST .../feedback
    GET  cancelAction/<action>          action to cancel                      POST .../feedback
    PUT  configData                     attributes of this device

Of a link only the path is used, on the configured server, so that the token goes nowhere else; a server
behind a proxy may know itself by another name. Redirects are not followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

import urllib3
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from urllib3.exceptions import HTTPError

from edgeagent.delivery.http.pool import HttpPools
from edgeagent.errors import DeliveryError
from edgeagent.files.secrets import read_header_secret
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.delivery import HawkbitSettings
from edgeagent.version import __version__

TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
MAX_BYTES = 1_000_000  # of a response
GONE = (404, 410)

Handling = Literal["skip", "attempt", "forced"]


class ServerError(DeliveryError):
    """hawkBit cannot be reached, or refuses a request.

    Args:
        message: text of the error.
        status: HTTP status; None without a valid response.
        after_s: seconds that the server asks to wait (``Retry-After``); None when it does not.
    """

    def __init__(self, message: str, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(message)
        self.status, self.after_s = status, after_s


class Resource(BaseModel):
    """Base of the server's resources; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Link(Resource):
    """Link to another resource."""

    href: str


class Polling(Resource):
    """Polling interval, ``HH:MM:SS``."""

    sleep: str | None = None


class Config(Resource):
    """Configuration of the polling."""

    polling: Polling = Polling()


class Controller(Resource):
    """Root resource of a device."""

    config: Config = Config()
    links: dict[str, Link] = Field(default_factory=dict, alias="_links")

    @property
    def sleep_s(self) -> float | None:
        """Seconds to the next poll; None where the server gives none in this format."""
        match = re.fullmatch(r"(\d{1,4}):([0-5]\d):([0-5]\d)", self.config.polling.sleep or "")
        if match is None:
            return None
        hours, minutes, seconds = (int(part) for part in match.groups())
        return hours * 3600.0 + minutes * 60.0 + seconds


class Chunk(Resource):
    """Software module."""

    name: str
    version: str


class DeploymentAssignment(Resource):
    """Software modules to install, and their urgency."""

    download: Handling = "attempt"
    update: Handling = "attempt"
    maintenance_window: Literal["available", "unavailable"] | None = Field(None, alias="maintenanceWindow")
    chunks: tuple[Chunk, ...] = ()


class DeploymentBase(Resource):
    """Open action."""

    id: str
    deployment: DeploymentAssignment


class ActionToStop(Resource):
    """Action that is to be cancelled."""

    stop_id: str = Field(alias="stopId")


class CancelAction(Resource):
    """Cancellation of an action."""

    id: str
    cancel_action: ActionToStop = Field(alias="cancelAction")


Execution = Literal["scheduled", "proceeding", "downloaded", "closed", "rejected"]
Finished = Literal["none", "success", "failure"]


class ActionFeedback(BaseModel):
    """Feedback on an action.

    Attributes:
        execution: state of the action.
        finished: its result, once it has ended.
        step, steps: progress; 0 of 0 is none.
        detail: text.
    """

    model_config = ConfigDict(frozen=True)

    execution: Execution
    finished: Finished = "none"
    step: int = 0
    steps: int = 0
    detail: str

    def body(self, action: str) -> dict[str, Any]:
        """Return the JSON object to send; ``id`` is for hawkBit before 0.3."""
        result: dict[str, Any] = {"finished": self.finished}
        if self.steps:
            result["progress"] = {"cnt": self.step, "of": self.steps}
        return {
            "id": action,
            "status": {"execution": self.execution, "result": result, "details": [self.detail[:512]]},
        }


AnyResource = TypeVar("AnyResource", bound=Resource)


class Ddi:
    """Client of the server for one device; one thread uses it.

    Args:
        settings: of the server.
        device: name of the device on the server, unless the settings give another.
        proxy, ca: see :class:`edgeagent.delivery.http.pool.HttpPools`.

    Raises:
        DeliveryError: the certificate file cannot be used.
    """

    def __init__(
        self, settings: HawkbitSettings, device: str, proxy: str | None = None, ca: Path | None = None
    ) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        name = quote(settings.controller or device, safe="")
        self._root = f"{parts.path.rstrip('/')}/{quote(settings.tenant, safe='')}/controller/v1/{name}"
        self._pools = HttpPools(proxy, ca)

    @property
    def address(self) -> str:
        """Name and address of the server, for messages."""
        return f"hawkBit at {self._origin}"

    def poll(self) -> Controller:
        """Return the root resource. All methods raise ServerError, or ConfigurationError for the token."""
        return self._parse(Controller, self._request("GET", self._root))

    def deployment(self, link: Link) -> DeploymentBase:
        """Return the action of a link in the root resource."""
        return self._parse(DeploymentBase, self._request("GET", _path(link)))

    def cancellation(self, link: Link) -> CancelAction:
        """Return the cancellation of a link in the root resource."""
        return self._parse(CancelAction, self._request("GET", _path(link)))

    def send_feedback(self, action: str, feedback: ActionFeedback, *, of_cancellation: bool = False) -> None:
        """Send feedback on an action, or on its cancellation."""
        kind = "cancelAction" if of_cancellation else "deploymentBase"
        path = f"{self._root}/{kind}/{quote(action, safe='')}/feedback"
        self._request("POST", path, feedback.body(action))

    def send_attributes(self, attributes: Mapping[str, str]) -> None:
        """Send the attributes of this device, at most 128 characters each."""
        data = {name: value[:128] for name, value in attributes.items()}
        self._request("PUT", f"{self._root}/configData", {"mode": "merge", "data": data})

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        headers = {
            "Accept": "application/hal+json, application/json",
            "Authorization": self._authorization(),
            "User-Agent": f"edgeagent/{__version__}",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        pool = self._pools.pool(self._origin)
        try:
            response = pool.request(
                method,
                self._origin + path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            content = response.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                response.close()
            response.release_conn()
        except (HTTPError, OSError) as error:
            raise ServerError(f"{self.address} cannot be reached ({_reason(error)})") from error
        if not 200 <= response.status < 300:
            raise self._refusal(response.status, response.headers)
        if len(content) > MAX_BYTES:
            raise ServerError(f"{self.address} sends more than {MAX_BYTES} bytes")
        return content

    def _authorization(self) -> str:
        """Return the header; the token is read every time, so that it can be replaced."""
        token = read_header_secret(self._settings.token_file, "hawkBit's token")
        return f"{'GatewayToken' if self._settings.gateway else 'TargetToken'} {token}"

    def _refusal(self, status: int, headers: Mapping[str, str]) -> ServerError:
        meaning = {
            401: f"does not accept the token of {self._settings.token_file}",
            403: f"forbids this to the token of {self._settings.token_file}",
            404: "does not know this device or action",
            407: "is behind a proxy that refuses its login",
            410: "has closed this action",
            429: "asks for fewer requests",
        }.get(status, "failed" if status >= 500 else "does not do it")
        after = headers.get("Retry-After", "").strip()
        after_s = float(after) if after.isascii() and after.isdigit() else None
        return ServerError(f"{self.address} {meaning} (status {status})", status, after_s)

    def _parse(self, kind: type[AnyResource], content: bytes) -> AnyResource:
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            raise ServerError(f"{self.address}: {kind.__name__}: {first_mistake(error)}") from None


def _path(link: Link) -> str:
    parts = urlsplit(link.href)
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return f"{path}?{parts.query}" if parts.query else path


def _reason(error: Exception) -> str:
    """Return the innermost reason, without the objects that urllib3 names in its messages."""
    inner = getattr(error, "reason", None) or error.__cause__ or error
    return getattr(inner, "strerror", None) or str(inner).rpartition(">: ")[2] or type(inner).__name__
