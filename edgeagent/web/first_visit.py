"""First configuration on the page: cameras are looked for, an address and a broker tried, the file written.

::

    POST /start/find     devices of this machine; the network only where the request says so
    POST /start/picture  one picture of an address
    POST /start/broker   a connection that ends at once
    POST /start/write    cameras and broker into the configuration

Nothing of this happens by itself. One search or test runs at a time, in a thread of its own that is abandoned
where it hangs, and few a minute; passwords are in no answer, log or event.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgeagent.camera.finding.address_picture import take_picture, with_login
from edgeagent.camera.finding.found_camera import FoundCamera
from edgeagent.camera.finding.onvif_media import OnvifLogin, with_streams
from edgeagent.camera.finding.v4l2 import find_v4l2
from edgeagent.camera.finding.ws_discovery import find_onvif
from edgeagent.camera.sources import source_kind
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.naming import escape_controls, redact
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.broker_check import check_connection
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.web.page_facts import PageFacts, SettingsEditor
from edgeagent.web.request_body import read_json_body
from edgeagent.web.sessions import Visitor

logger = logging.getLogger(__name__)

FIND_S, OPEN_S, READ_S, BROKER_S, ONVIF_S = 4.0, 8.0, 5.0, 5.0, 3.0
LONGEST_S = 120.0
"""Time after which a search or test is given up, such as that of a device whose driver hangs."""
MOST_ASKED = 16
"""Cameras whose streams are asked for."""
PER_S, BURST = 0.25, 8.0
"""Searches and tests of all visitors together."""

CheckWrite = Callable[[Request], Visitor]
_Answer = TypeVar("_Answer")


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Search(_Asked):
    network: bool = False
    user: str = ""
    password: SecretStr = SecretStr("")


class _Address(_Asked):
    source: str = Field(min_length=1, max_length=2000)
    user: str = ""
    password: SecretStr = SecretStr("")

    @property
    def whole(self) -> str:
        """The source with user and password.

        Raises:
            ConfigurationError: it is none that is tried from a page, or has no place for them.
        """
        if source_kind(self.source) not in ("device", "stream"):
            raise ConfigurationError(
                f"{redact(self.source)}: from here only devices (/dev/videoN) and addresses of cameras "
                "(rtsp://, http://) are used"
            )
        secret = self.password.get_secret_value()
        return with_login(self.source, self.user, secret) if self.user else self.source


class _Camera(_Address):
    name: _Name


class _Broker(_Asked):
    host: str = Field(min_length=1, max_length=253)
    port: int | None = None
    user: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False


class _Configuration(_Asked):
    cameras: list[_Camera] = Field(default_factory=list, max_length=64)
    remove: list[_Name] = Field(default_factory=list, max_length=64)
    broker: _Broker | None = None


_AskedKind = TypeVar("_AskedKind", bound=_Asked)


class FirstVisit:
    """Requests of the view; used by one event loop.

    Args:
        check_write: returns who makes a request, or raises HTTPException.
        facts: returns what the page is told.
        editor: returns what changes settings; None where nothing does.
    """

    def __init__(
        self,
        check_write: CheckWrite,
        facts: Callable[[], PageFacts],
        editor: Callable[[], SettingsEditor | None],
    ) -> None:
        self._check_write, self._facts, self._editor = check_write, facts, editor
        self._limit, self._busy = RateLimit(PER_S, BURST), False

    @property
    def routes(self) -> list[Route]:
        """Routes of the requests."""
        asked = {"find": self._find, "picture": self._picture, "broker": self._try, "write": self._write}
        return [Route(f"/start/{name}", answer, methods=["POST"]) for name, answer in asked.items()]

    async def _find(self, request: Request) -> Response:
        asked = await self._read(request, _Search)
        password = asked.password.get_secret_value()
        login = OnvifLogin(asked.user, password) if asked.user else None
        found = await self._run(lambda: find_cameras(asked.network, login))
        return JSONResponse({"cameras": [asdict(one) for one in found]})

    async def _picture(self, request: Request) -> Response:
        asked = await self._read(request, _Address)
        source = _refused(lambda: asked.whole)
        one = await self._run(lambda: take_picture(source, OPEN_S, READ_S))
        facts = {"width": one.width, "height": one.height, "fps": one.fps, "seconds": round(one.seconds, 1)}
        return JSONResponse({**facts, "jpeg": base64.b64encode(one.jpeg).decode()})

    async def _try(self, request: Request) -> Response:
        asked = await self._read(request, _Broker)
        reason = await self._run(lambda: try_broker(asked))
        if reason is not None:
            raise HTTPException(422, f"{asked.host} {escape_controls(reason)}")
        return JSONResponse({"accepted": True})

    async def _write(self, request: Request) -> Response:
        visitor = self._check_write(request)
        asked, editor = await self._read(request, _Configuration), self._editor()
        if editor is None:
            raise HTTPException(404, "The configuration cannot be written from here.")
        values = _refused(lambda: self._values(asked))
        broker = asked.broker
        password = broker.password.get_secret_value() if broker is not None and broker.user else None
        who = visitor.user or "somebody on this machine"
        result, left = await self._run(lambda: editor.configure(values, password, who), limited=False)
        return JSONResponse({**result.plain(), "left": left})

    def _values(self, asked: _Configuration) -> dict[str, Any]:
        """Return keys of the configuration with their values."""
        values: dict[str, Any] = {f"cameras.{one.name}": {"source": one.whole} for one in asked.cameras}
        for name in asked.remove:
            values.setdefault(f"cameras.{name}", None)
        if asked.broker is not None:
            values |= {f"mqtt.{key}": value for key, value in _broker_keys(asked.broker).items()}
        if not values:
            raise ConfigurationError("nothing is chosen: take a camera or give a broker first")
        return values

    async def _read(self, request: Request, kind: type[_AskedKind]) -> _AskedKind:
        self._check_write(request)
        try:
            return kind.model_validate(await read_json_body(request))
        except ValidationError as error:
            mistake = first_mistake(error)
            place = ".".join(map(str, mistake.place))
            raise HTTPException(422, f"{place}: {mistake.text}") from None

    async def _run(self, act: Callable[[], _Answer], limited: bool = True) -> _Answer:
        """Run something that takes long; one at a time.

        Raises:
            HTTPException: it is refused (422), another one runs, or there were many (429), or it hangs (504).
        """
        if self._busy or (limited and not self._limit.allows(time.monotonic_ns())):
            raise HTTPException(429, "Another search or test runs, or there were many. Wait a moment.", WAIT)
        self._busy = True
        try:
            return await asyncio.wait_for(in_own_thread(act), LONGEST_S)
        except asyncio.TimeoutError as error:
            raise HTTPException(504, f"It did not end within {LONGEST_S:g} s and was given up.") from error
        except EdgeagentError as error:
            raise HTTPException(422, str(error)) from error
        finally:
            self._busy = False


WAIT = {"Retry-After": "5"}


def _refused(act: Callable[[], _Answer]) -> _Answer:
    try:
        return act()
    except ConfigurationError as error:
        raise HTTPException(422, str(error)) from error


async def in_own_thread(act: Callable[[], _Answer]) -> _Answer:
    """Return what a function returns, run in a thread that the end of the program does not wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Answer] = loop.create_future()

    def settle(answer: _Answer | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)  # type: ignore[arg-type]

    def run() -> None:
        answer, failed = None, None
        try:
            answer = act()
        except Exception as error:  # noqa: BLE001 (raised by whoever waits)
            failed = error
        try:
            loop.call_soon_threadsafe(settle, answer, failed)
        except RuntimeError:
            logger.debug("the page ended before %s", threading.current_thread().name)

    threading.Thread(target=run, name="page search", daemon=True).start()
    return await future


def find_cameras(network: bool, login: OnvifLogin | None) -> tuple[FoundCamera, ...]:
    """Return the devices of this machine, and where ``network`` is set the ONVIF cameras that answer.

    Args:
        network: whether the network is asked.
        login: with which the streams of the first :data:`MOST_ASKED` cameras are asked for.
    """
    found = list(find_v4l2())
    if network:
        asked = find_onvif(FIND_S)
        for number, camera in enumerate(asked):
            known = login is not None and number < MOST_ASKED
            found += with_streams(camera, login, ONVIF_S) if known else [camera]
    return tuple(found)


def try_broker(asked: _Broker) -> str | None:
    """Connect with a broker; return the reason where it does not accept this device.

    Raises:
        ConfigurationError: the address is none.
    """
    with tempfile.NamedTemporaryFile("w", prefix="edgeagent-", encoding="utf-8") as secret:  # mode 0600
        secret.write(asked.password.get_secret_value() + "\n")
        secret.flush()
        keys = _broker_keys(asked)
        try:
            settings = MqttSettings.model_validate(
                {**keys, "password_file": secret.name if asked.password.get_secret_value() else None}
            )
        except ValidationError as error:
            raise ConfigurationError(str(first_mistake(error))) from None
        return check_connection(settings, BROKER_S)


def _broker_keys(asked: _Broker) -> Mapping[str, Any]:
    """Return keys of the section ``mqtt``; those that are not given stay as they are."""
    port = asked.port or (8883 if asked.tls else 1883)
    keys: dict[str, Any] = {"host": asked.host.strip(), "port": port}
    if asked.user:
        keys["username"] = asked.user
    return {**keys, "tls": {}} if asked.tls else keys
