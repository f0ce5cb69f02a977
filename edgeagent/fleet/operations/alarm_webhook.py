"""Webhook of the fleet: a server is told which alarms have begun and ended, signed and at least once.

::

    every CHECK_S: problems of the store -> not announced yet -> one call with all of them -> spool -> POST
                                            noted as announced at the next check: the call is on the disk then

Calls, spool, pauses and signature are those of a device's actions (docs/actions.md). A call that is repeated
after a kill has the same id.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.fleet.operations.announced_alarms import AnnouncedAlarms
from edgeagent.fleet.queries.recent_alarms import RecentAlarm, recent_alarms
from edgeagent.fleet.store.protocol import FleetStore, StoreError
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.settings.sections.actions import WebhookSettings
from edgeagent.telemetry.actions.action_event import DeliveredEvent
from edgeagent.telemetry.actions.webhook import WebhookAction
from edgeagent.telemetry.mqtt.spool import Spool
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

NAME = "fleet"
CHECK_S = 10.0
STOP_S = 5.0
SPOOL, SPOOL_BYTES = "webhook.sqlite3", 50_000_000
MOST_IN_A_CALL = 500


class AnnouncedAlarm(BaseModel):
    """Alarm in a call; ``ended`` is there where it has ended."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    device: str
    code: str
    camera: str | None = None
    text: str
    since: str
    ended: str | None = None


class AlarmsChanged(DeliveredEvent):
    """Call: alarms that have begun, and those that have ended."""

    event: str = "alarms.changed"
    begun: tuple[AnnouncedAlarm, ...]
    ended: tuple[AnnouncedAlarm, ...]


class AlarmWebhook:
    """Webhook of a fleet.

    Args:
        store: with the alarms.
        file: that knows what was announced; the spool is beside it.
        url: of the server.
        secret_file: file with the secret of the signature; None does not sign.
        check_s: seconds between two checks.

    Raises:
        ConfigurationError: the URL or the secret cannot be used.
    """

    def __init__(
        self, store: FleetStore, file: UserFile, url: str, secret_file: Path | None, check_s: float = CHECK_S
    ) -> None:
        try:
            settings = WebhookSettings(url=url, secret_file=secret_file)
        except ValidationError as error:
            raise ConfigurationError(f"--webhook: {first_mistake(error).text}") from None
        path = file.path.parent / SPOOL
        self._calls = WebhookAction(NAME, settings, lambda: Spool(path, SPOOL_BYTES, settings.age))
        self._store, self._announced, self._check_s = store, AnnouncedAlarms(file), check_s
        self._handed_over: list[str] = []
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "alarm-webhook")

    def start(self) -> None:
        """Start the threads."""
        self._calls.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop; calls that are not delivered wait on the disk."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self._calls.stop(STOP_S)
        self._announced.note(self._handed_over)  # what was handed over is on the disk now

    def _run(self) -> None:
        while True:
            try:
                self._check()
            except StoreError as error:
                logger.warning("webhook: alarms cannot be read now (%.200s)", error)
            if self._stopping.wait(self._check_s):
                return

    def _check(self) -> None:
        self._announced.note(self._handed_over)
        self._handed_over.clear()
        alarms = recent_alarms(self._store)
        news = sorted(self._announced.news(alarms).items())
        for first in range(0, len(news), MOST_IN_A_CALL):
            part = dict(news[first : first + MOST_IN_A_CALL])
            self._calls.act(_event(part))
            self._handed_over += part
        self._announced.forget(alarms)


def _event(news: dict[str, RecentAlarm]) -> AlarmsChanged:
    shown = [(one.ended is not None, _shown(one)) for one in news.values()]
    return AlarmsChanged(
        id=hashlib.sha256("".join(news).encode()).hexdigest()[:32],
        time=utc_time(time.time()),
        begun=tuple(one for ended, one in shown if not ended),
        ended=tuple(one for ended, one in shown if ended),
    )


def _shown(one: RecentAlarm) -> AnnouncedAlarm:
    return AnnouncedAlarm(
        tenant=one.tenant,
        device=one.device,
        code=one.code,
        camera=one.camera or None,
        text=one.text,
        since=utc_time(one.since.timestamp()),
        ended=None if one.ended is None else utc_time(one.ended.timestamp()),
    )
