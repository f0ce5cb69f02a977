"""People who have signed in through the identity provider, as long as this process runs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from edgeagent.fleet.oidc.oidc_claims import OIDC_PREFIX
from edgeagent.fleet.users.actor import Actor
from edgeagent.fleet.users.user_store import UserStore

MOST_PEOPLE = 4096


class FleetPeople:
    """Who somebody is: local users with their tokens, and people of the provider; thread-safe.

    Args:
        users: local users.
    """

    def __init__(self, users: UserStore) -> None:
        self._users = users
        self._lock = threading.Lock()
        self._of_provider: OrderedDict[str, tuple[Actor, float]] = OrderedDict()

    def enter(self, actor: Actor) -> None:
        """Note somebody of the provider; a change of role or tenant ends the sessions that began before."""
        with self._lock:
            known = self._of_provider.pop(actor.name, None)
            since = known[1] if known is not None and known[0] == actor else time.time()
            self._of_provider[actor.name] = (actor, since)
            while len(self._of_provider) > MOST_PEOPLE:
                self._of_provider.popitem(last=False)

    def actor_of(self, name: str, began: float) -> Actor | None:
        """Return who has a session or token, with the present rights; None where it has ended.

        Args:
            name: of a local user, ``USER/TOKEN``, or ``oidc:NAME``.
            began: when the session began, seconds since 1970.
        """
        if not name.startswith(OIDC_PREFIX):
            return self._users.actor_of(name, began)
        with self._lock:
            actor, since = self._of_provider.get(name, (None, 0.0))
        return actor if began >= since else None
