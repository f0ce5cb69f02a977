"""Live changes of a running agent: proposed, applied or refused as a whole, kept, undone and saved.

::

    values by key -> layers composed and validated -> compared with what runs -> live.yaml written -> applied
                          | mistakes                    | needs a new start       | not written      | fails
                          v                             v                         v                  v
                     refused with every mistake; what ran before goes on, also in live.yaml

A reload reads the file of the board again, below the same live changes. Keys of it that need a new start wait
for one, and the others are applied.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from edgeagent.daemon.live.live_source import LiveSource
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.systemd import notify
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.settings.live.changes import (
    LiveChange,
    covers,
    new_changes,
    with_changes,
    write_changes,
)
from edgeagent.settings.live.comparison import SettingsChange, changed_keys, compare
from edgeagent.settings.live.layers import KeySource, LowerLayers, compose, key_sources
from edgeagent.settings.live.result import LiveResult
from edgeagent.settings.live.saving import save_changes
from edgeagent.settings.live.table import may_be_remote
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.event_log import EventLog
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

MOST_NAMED = 20
"""Keys in an event."""


@dataclass(frozen=True)
class _Wish:
    """A change that somebody wants."""

    base: LowerLayers
    changes: tuple[LiveChange, ...]
    may_wait: bool = False
    hidden: tuple[str, ...] = field(default=())
    saved: tuple[str, ...] = field(default=())


class LiveChanges(AgentPart):
    """Live changes of one agent; thread-safe, one change at a time.

    Args:
        source: where its settings come from.
        settings: that run.
        state: state folder, with the file of the live changes.
        apply: applies a change to all parts of the agent, or raises and leaves all as they were.
        events: receiver of an event for each change, also for one that is refused.
    """

    def __init__(
        self,
        source: LiveSource,
        settings: Settings,
        state: Path,
        apply: Callable[[SettingsChange], None],
        events: EventLog,
    ) -> None:
        self._source, self._state, self._apply, self._events = source, state, apply, events
        self._settings, self._base, self._changes = settings, source.base, source.changes
        self._waiting: dict[str, str] = {}
        self._lock = threading.RLock()
        self._asked: SimpleQueue[str | None] = SimpleQueue()
        self._thread = GuardedThread(self._run, "live")

    @property
    def settings(self) -> Settings:
        """Settings that run."""
        return self._settings

    @property
    def waiting(self) -> dict[str, str]:
        """Keys of the file that need a new start, with the reason."""
        return dict(self._waiting)

    def sources(self) -> tuple[KeySource, ...]:
        """Return every key that is set, with its layer and for live changes who and when."""
        with self._lock:
            return key_sources(self._base, self._changes)

    def propose(
        self, values: Mapping[str, Any], by: str, *, remote: bool = False, may_wait: bool = False
    ) -> LiveResult:
        """Change keys, at once and over restarts.

        Args:
            values: by key, as the file would hold them; see :mod:`edgeagent.settings.live.changes`.
            by: who wants it, for the event.
            remote: whether only the keys of :data:`edgeagent.settings.live.table.REMOTE` may change.
            may_wait: whether keys may change that need a new start, and count from then on.

        Raises:
            ConfigurationError: with every mistake; nothing has changed.
            EdgeagentError: it cannot be kept or applied; nothing has changed.
        """
        with self._lock:

            def wish() -> _Wish:
                refused = [key for key in values if remote and not may_be_remote(key)]
                if refused:
                    raise ConfigurationError(
                        "\n".join(f"{key[:60]}: is not set from outside" for key in refused)
                    )
                new = new_changes(values, by, utc_time(time.time()))
                return _Wish(self._base, with_changes(self._changes, new), may_wait)

            return self._do("set", by, wish)

    def undo(self, by: str, keys: Collection[str] = (), *, remote: bool = False) -> LiveResult:
        """Remove live changes, so that file and signed configuration count again.

        Args:
            by: who wants it, for the event.
            keys: of the changes, or sections above them; all without one.
            remote: whether only changes of keys that may be set from outside are removed.

        Raises:
            ConfigurationError: there is none of that key, or the rest does not fit together.
            EdgeagentError: as for :meth:`propose`.
        """
        with self._lock:

            def wish() -> _Wish:
                may = [one for one in self._changes if not remote or may_be_remote(one.key)]
                gone = [one for one in may if not keys or any(covers(key, one.key) for key in keys)]
                unknown = [key for key in keys if not any(covers(key, one.key) for one in may)]
                if unknown:
                    raise ConfigurationError(f"no live change of {', '.join(unknown)}")
                rest = tuple(one for one in self._changes if one not in gone)
                return _Wish(self._base, rest)

            return self._do("undo", by, wish)

    def reload(self, by: str) -> LiveResult:
        """Read file and signed configuration again, and apply what changes live.

        Raises:
            ConfigurationError: the file has mistakes, all of them; what runs goes on.
            EdgeagentError: as for :meth:`propose`.
        """
        with self._lock:

            def wish() -> _Wish:
                base = self._source.read()
                changed = changed_keys(self._base.own.settings, base.own.settings)
                held = [key for key in changed if any(covers(one.key, key) for one in self._changes)]
                return _Wish(base, self._changes, may_wait=True, hidden=tuple(held))

            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                return self._do("reload", by, wish)
            finally:
                notify("READY=1")

    def save(self, by: str) -> LiveResult:
        """Move all live changes into the file of the board, whose comments stay.

        Raises:
            ConfigurationError: the file cannot be written here (the service may not; `edgeagent live save` of
                an administrator can), or would not have the same effect.
            EdgeagentError: as for :meth:`propose`.
        """
        with self._lock:
            save_changes(self._source.file, self._changes)
            return self.saved(by)

    def saved(self, by: str) -> LiveResult:
        """Read the file again, and drop the live changes whose values it has now."""
        with self._lock:

            def wish() -> _Wish:
                base = self._source.read()
                rest = [one for one in self._changes if not self._holds(base, one)]
                saved = tuple(one.key for one in self._changes if one not in rest)
                return _Wish(base, tuple(rest), may_wait=True, saved=saved)

            return self._do("save", by, wish)

    def write(self, values: Mapping[str, Any], by: str) -> LiveResult:
        """Write keys into the file of the board, whose comments stay, and read it again.

        Live changes of these keys are dropped. What needs a new start waits for one.

        Args:
            values: by key, as for :meth:`propose`.
            by: who wants it, for the event.

        Raises:
            NotWritableError: the agent may not write the file; nothing has changed.
            ConfigurationError: with every mistake; nothing has changed.
            EdgeagentError: it cannot be applied; the file has the keys, and what ran before goes on.
        """
        with self._lock:

            def wish() -> _Wish:
                new = new_changes(values, by, utc_time(time.time()))
                compose(self._base, with_changes(self._changes, new))  # mistakes, before anything is written
                save_changes(self._source.file, new)
                rest = [one for one in self._changes if not any(covers(it.key, one.key) for it in new)]
                saved = tuple(one.key for one in new)
                return _Wish(self._source.read(), tuple(rest), may_wait=True, saved=saved)

            return self._do("write", by, wish)

    def request_reload(self, by: str = "SIGHUP") -> None:
        """Reload soon, in the thread of this part; may be called from a signal handler."""
        self._asked.put(by)

    def start(self) -> None:
        """Start the thread for requests that nobody waits for."""
        self._thread.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the thread."""
        self._asked.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while (by := self._asked.get()) is not None:
            try:
                self.reload(by)
            except EdgeagentError:
                continue  # logged, and an event

    def _holds(self, base: LowerLayers, change: LiveChange) -> bool:
        """Return whether file and signed configuration give what a live change gives."""
        others = [one for one in self._changes if one != change]
        try:
            return compose(base, others) == compose(base, self._changes)
        except ConfigurationError:
            return False

    def _do(self, what: str, by: str, wish: Callable[[], _Wish]) -> LiveResult:
        """Apply what somebody wishes, and record an event, also of a refusal."""
        try:
            hindrance = self._source.hindrance()
            if hindrance is not None:
                raise EdgeagentError(hindrance)
            result = self._realize(wish())
        except EdgeagentError as error:
            logger.error("%s by %s is refused, the settings before go on: %s", what, by, error)
            self._events.record(
                "settings", f"{what} refused: {error}", what=what, by=by, ok=False, error=str(error)
            )
            raise
        text = result.describe()
        logger.log(logging.WARNING if result.waiting else logging.INFO, "%s by %s: %s", what, by, text)
        data = {name: _named(keys) for name, keys in result.plain().items() if keys}
        self._events.record("settings", f"{what}: {text}", what=what, by=by, ok=True, **data)
        return result

    def _realize(self, wish: _Wish) -> LiveResult:
        change = compare(self._settings, compose(wish.base, wish.changes))
        new = {key: why for key, why in change.waiting.items() if key not in self._waiting}
        if new and not wish.may_wait:
            raise ConfigurationError(
                "\n".join(f"{key}: needs a new start of the agent: {why}" for key, why in new.items())
            )
        kept = self._changes
        if wish.changes != kept:
            write_changes(self._state, wish.changes)
        if change.keys:
            try:
                self._apply(change)
            except EdgeagentError:
                if wish.changes != kept:
                    write_changes(self._state, kept)
                raise
        self._settings, self._changes, self._waiting = change.after, wish.changes, dict(change.waiting)
        if wish.base is not self._base:
            self._base = wish.base
            self._source.taken(wish.base)
        waiting = change.waiting if wish.may_wait else {}
        return LiveResult(change.keys, waiting, wish.hidden, wish.saved)


def _named(keys: object) -> str:
    """Return keys as text for an event."""
    names: Sequence[str] = list(keys) if isinstance(keys, list | dict) else [str(keys)]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
