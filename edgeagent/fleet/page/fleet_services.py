"""What page and API work with."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.oidc.oidc_provider import OidcProvider
from edgeagent.fleet.page.page_settings import FleetPageSettings
from edgeagent.fleet.page.rollout_plans import RolloutPlans
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.users.upload_tokens import UploadTokens
from edgeagent.fleet.users.user_audit import UserAudit
from edgeagent.fleet.users.user_store import UserStore


@dataclass(frozen=True, slots=True)
class FleetServices:
    """What page and API work with.

    Attributes:
        settings: of the page.
        store: with the messages of the devices.
        users: who may sign in.
        audit: of what they do.
        plans: of rollouts; None where the publisher's folder is not known.
        frames: that devices have sent; None where none are kept.
        upload_tokens: of devices that send frames; None where none are kept.
        oidc: identity provider through which people sign in, too; None without one.
    """

    settings: FleetPageSettings
    store: FleetStore
    users: UserStore
    audit: UserAudit
    plans: RolloutPlans | None = None
    frames: FrameArchive | None = None
    upload_tokens: UploadTokens | None = None
    oidc: OidcProvider | None = None
