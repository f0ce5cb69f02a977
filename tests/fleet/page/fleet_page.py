"""The fleet's page in this process, with a real store, and a plain HTTP client."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.oidc.oidc_provider import OidcProvider
from edgeagent.fleet.page.fleet_server import FleetServer
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.page_settings import FleetPageSettings
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.fleet.page.rollout_plans import RolloutPlans
from edgeagent.fleet.queries.tenant_filter import ALL
from edgeagent.fleet.rollouts.stored_fleet import StoreJudge
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.users.upload_tokens import UploadTokens
from edgeagent.fleet.users.user_audit import UserAudit
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.fleet.users.user_store import UserStore
from tests.web.page import Answer, Client, free_port, wait_for_port

PASSWORDS = {"ann": "correct horse battery", "bob": "bobs long password", "vic": "vics long password"}
ROLES = {"ann": "admin", "bob": "operator", "vic": "viewer"}
FORM = "application/x-www-form-urlencoded"


class FleetClient(Client):
    """Plain client of the page, with the services behind it."""

    def __init__(self, port: int, services: FleetServices) -> None:
        super().__init__(port)
        self.services = services
        self._sessions: dict[str, dict[str, str]] = {}

    def enter(self, user: str, anew: bool = False) -> dict[str, str]:
        """Headers of a session, the present one unless it shall be another; few sign in per second."""
        if anew or user not in self._sessions:
            answer = self.sign_in(user, PASSWORDS[user])
            assert answer.status == 303, answer.text
            cookie = str(answer.headers["set-cookie"]).partition(";")[0]
            self._sessions[user] = {"Cookie": cookie, "Accept": "text/html"}
        return self._sessions[user]

    def csrf(self, held: dict[str, str]) -> str:
        found = re.search(r'name="csrf" content="([^"]+)"', self.ask("/lost", headers=held).text)
        assert found
        return found[1]

    def send(self, path: str, held: dict[str, str], **fields: str) -> Answer:
        """Send a form, with the value of the page unless one is given."""
        if "csrf" not in fields:
            fields["csrf"] = self.csrf(held)
        headers = {**held, "Content-Type": FORM, "Origin": self.origin}
        return self.ask(path, "POST", urlencode(fields), headers)

    def token(self, user: str = "vic", role: str = "viewer") -> dict[str, str]:
        """Headers with a token."""
        return {"Authorization": f"Bearer {self.services.users.issue(user, 'test', role)}"}


@contextlib.contextmanager
def running_fleet_page(
    store: FleetStore,
    folder: Path,
    users: bool = True,
    plans: Path | None = None,
    limit: RequestLimit | None = None,
    frames: FrameArchive | None = None,
    oidc: Callable[[str], OidcProvider] | None = None,
    **settings: Any,
) -> Iterator[FleetClient]:
    """Run the page on a free port of the loopback interface; ``oidc`` gets its address."""
    port = free_port()
    file = UserFile(folder)
    services = FleetServices(
        FleetPageSettings(**{"listen": f"127.0.0.1:{port}", **settings}),
        store,
        UserStore(file),
        UserAudit(file),
        None if plans is None else RolloutPlans(plans, StoreJudge(store, ALL).judge),
        frames,
        UploadTokens(file),
        None if oidc is None else oidc(f"http://127.0.0.1:{port}"),
    )
    if users:
        for name, role in ROLES.items():
            services.users.add(name, PASSWORDS[name], role)
    server = FleetServer(services, limit or RequestLimit(1e6, 1e6))
    server.start()
    try:
        wait_for_port(port)
        yield FleetClient(port, services)
    finally:
        server.stop()
        file.close()
