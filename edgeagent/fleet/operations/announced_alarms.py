"""Beginnings and ends of alarms that a webhook was told of, so that each is told once, also over restarts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence

from edgeagent.fleet.queries.recent_alarms import RecentAlarm
from edgeagent.fleet.users.user_file import UserFile

FORGOTTEN_S = 2 * 86_400.0
STARTED = "started"


class AnnouncedAlarms:
    """Ids in the file of users; used by one thread.

    Args:
        file: that they are in.
    """

    def __init__(self, file: UserFile) -> None:
        self._file = file

    def news(self, alarms: Sequence[RecentAlarm]) -> dict[str, RecentAlarm]:
        """Return what was not announced, by id; nothing at the very first time, which notes what is there.

        Args:
            alarms: present and recent ones.
        """
        known = {str(row[0]) for row in self._file.read("SELECT id FROM announced")}
        found = {announcement_id(one): one for one in alarms}
        if STARTED not in known:
            begun = [announcement_id(one.model_copy(update={"ended": None})) for one in alarms]
            self.note([STARTED, *begun, *found])
            return {}
        return {name: one for name, one in found.items() if name not in known}

    def note(self, ids: Iterable[str]) -> None:
        """Note what has been announced."""
        for name in ids:
            self._file.write("INSERT OR IGNORE INTO announced (id, time) VALUES (?, ?)", (name, time.time()))

    def forget(self, alarms: Sequence[RecentAlarm]) -> None:
        """Drop ids of alarms that have ended long ago."""
        present = {announcement_id(one.model_copy(update={"ended": None})) for one in alarms}
        present |= {announcement_id(one) for one in alarms} | {STARTED}
        rows = self._file.read("SELECT id FROM announced WHERE time < ?", (time.time() - FORGOTTEN_S,))
        for (name,) in rows:
            if name not in present:
                self._file.write("DELETE FROM announced WHERE id = ?", (name,))


def announcement_id(alarm: RecentAlarm) -> str:
    """Return the id of the beginning of an alarm, or of its end where it has ended."""
    what = "end" if alarm.ended is not None else "begin"
    key = (what, alarm.tenant, alarm.device, alarm.code, alarm.camera, alarm.since.isoformat())
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
