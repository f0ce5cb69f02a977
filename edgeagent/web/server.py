"""The page in a thread of its own with its own event loop: what happens in it never reaches detection.

::

    port taken -> told, tried again every RETRY_S -> serving -> stopped
                     a fault of the server: logged, alarm, started again by its thread
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable

import uvicorn

from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.camera import privacy_regions
from edgeagent.settings.sections.web import WebSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.web.application import PageApplication
from edgeagent.web.device_record import DeviceRecord
from edgeagent.web.http_config import http_config
from edgeagent.web.live_pictures import LivePictures, PrivateRegions
from edgeagent.web.page_facts import PageFacts, SettingsEditor
from edgeagent.web.viewers import EncodedPicture, Viewers, Watched

logger = logging.getLogger(__name__)

OTHER_CONNECTIONS = 64
"""Connections beside those of viewers; more are answered with 503."""
RETRY_S, STOP_S = 15.0, 0.7
SEND_BUFFER = 262_144
"""Bytes that the kernel holds for a client at most."""
UNREAD_S = 30
"""Time after which the kernel ends a connection whose client takes nothing."""

OnTrouble = Callable[[str | None], None]


class PageServer:
    """The live page.

    Args:
        settings: of the page.
        facts: what it shows beside messages.
        record: messages of the agent.
        editor: changes settings; None where the page only shows them.
        on_trouble: called with the reason when the page cannot be reached, and with None when it can again.

    Attributes:
        pictures: encoder; the frame path offers frames to it.
        watched: cameras that somebody watches.

    Raises:
        ConfigurationError: a secret, certificate or key cannot be used.
    """

    def __init__(
        self,
        settings: WebSettings,
        facts: PageFacts,
        record: DeviceRecord,
        editor: SettingsEditor | None = None,
        on_trouble: OnTrouble = lambda text: None,
    ) -> None:
        self._settings, self._facts, self._record = settings, facts, record
        self._on_trouble = on_trouble
        self.watched = Watched()
        self._viewers = Viewers(self.watched, settings.viewers)
        self.pictures = LivePictures(settings, _private(facts), self.watched, self._deliver)
        self._application = PageApplication(settings, facts, record, self._viewers, editor)
        if settings.certificate is not None:
            self._config()  # a file that cannot be used is told at once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "page")

    def start(self) -> None:
        """Start the threads; the page is reached soon after."""
        self.pictures.start()
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Close the page; requests that are being answered are abandoned."""
        self._stopping.set()
        server = self._server
        if server is not None:
            server.should_exit = server.force_exit = True
        self.pictures.stop(timeout_s / 2)
        if self._thread.is_alive():
            self._thread.join(timeout_s / 2)

    def follow(self, facts: PageFacts) -> None:
        """Show what changed settings say."""
        self._facts = self._application.facts = facts
        self.pictures.follow(_private(facts))

    def edit_with(self, editor: SettingsEditor) -> None:
        """Let the page change settings from now on."""
        self._application.editor = editor

    def _deliver(self, picture: EncodedPicture) -> None:
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._viewers.put, picture)
            except RuntimeError:  # the loop has just ended, and with it all viewers
                logger.debug("a picture came after the end of the page")

    def _run(self) -> None:
        self._record.read_files(self._facts.snapshots, self._facts.clips)
        listening = self._listen()
        if listening is None:
            return
        with listening:
            self._serve(listening)

    def _listen(self) -> socket.socket | None:
        """Open the port; while it is taken, tell so and try again. None when the agent stops."""
        settings, told = self._settings, False
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        while not self._stopping.is_set():
            try:
                listening = socket.create_server((settings.host, settings.port), family=family)
            except OSError as error:
                if not told:
                    text = (
                        f"the live page cannot be reached: {settings.listen} cannot be listened on "
                        f"({error.strerror}); detection goes on"
                    )
                    logger.error("%s; it is tried again every %g s", text, RETRY_S)
                    self._on_trouble(text)
                    told = True
                self._stopping.wait(RETRY_S)
                continue
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * UNREAD_S)
            if told:
                self._on_trouble(None)
            return listening
        return None

    def _serve(self, listening: socket.socket) -> None:
        scheme = "https" if self._settings.certificate is not None else "http"
        self._server = server = uvicorn.Server(self._config())
        if self._stopping.is_set():
            return
        address = host_and_port(self._settings.host, self._settings.port)
        logger.info("live page at %s://%s/", scheme, address)

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve(sockets=[listening])

        try:
            asyncio.run(serve())
        finally:
            self._loop = None
            self._viewers.clear()
        if not self._stopping.is_set():
            raise RuntimeError("the server of the live page ended by itself")

    def _config(self) -> uvicorn.Config:
        settings = self._settings
        connections = settings.viewers + OTHER_CONNECTIONS
        return http_config(self._application.application, connections, settings.certificate, settings.key)


def _private(facts: PageFacts) -> PrivateRegions:
    return {camera.name: privacy_regions(camera) for camera in facts.cameras}
