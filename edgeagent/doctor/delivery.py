"""Checks of delivery: trusted root, repository, expiry of its metadata, and the clock against the server.

The repository is read into a temporary folder; what the agent knows about it is not touched.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from edgeagent.delivery.errors import MissingError, UnreachableError, WrongClockError
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.clear_text import clear_text_note
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.delivery.repository.trust import ExpiredError
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.errors import DeliveryError
from edgeagent.files.naming import redact
from edgeagent.settings.sections.delivery import DeliverySettings

LIMITS = TransferLimits(connect_s=5.0, silence_s=5.0, slowest=1.0, attempts=1)
SOON = {"timestamp": timedelta(days=3), "snapshot": timedelta(days=3)}
SOON_ELSE = timedelta(days=14)
"""Time before the expiry of metadata from which it is a warning."""


def check_trusted_root(system: ExaminedSystem) -> list[Finding]:
    """Check that the trusted root is root metadata that its own keys have signed."""
    delivery = system.settings.delivery if system.settings else None
    if delivery is None:
        return []
    path, action = delivery.root, "copy 1.root.json of the repository there"
    try:
        md = Metadata[Root].from_bytes(path.read_bytes())
        if not isinstance(md.signed, Root):
            return [Finding("trusted root", "problem", f"{path}: is no root metadata", action)]
        signed = md.signed.get_verification_result(Root.type, md.signed_bytes, md.signatures).verified
    except OSError as error:
        return [Finding("trusted root", "problem", f"{path}: cannot be read ({error.strerror})", action)]
    except DeserializationError:
        return [Finding("trusted root", "problem", f"{path}: is no metadata of TUF", action)]
    if not signed:
        return [Finding("trusted root", "problem", f"{path}: its own keys have not signed it", action)]
    return [Finding("trusted root", "ok", f"{path}, version {md.signed.version}")]


def check_repository(system: ExaminedSystem) -> list[Finding]:
    """Check that the repository can be reached and verified, that nothing expires soon, and the clock."""
    delivery = system.settings.delivery if system.settings else None
    if delivery is None:
        return []
    findings = []
    note = clear_text_note(delivery.repository)
    if note is not None:
        findings.append(Finding("repository", "warning", note, "use https:// where the server offers it"))
    with tempfile.TemporaryDirectory() as folder:
        return [*findings, *_read(delivery, Path(folder), system.now)]


def _read(delivery: DeliverySettings, folder: Path, now: datetime) -> list[Finding]:
    address = redact(delivery.repository)
    try:
        client = Client(delivery, folder, lambda: now, LIMITS)
        channel = client.refresh()
    except WrongClockError as error:
        return [
            Finding("clock of delivery", "problem", str(error), "set the clock, and start a time service")
        ]
    except (UnreachableError, MissingError) as error:
        action = "check network, proxy and delivery.repository; the models that are here serve on"
        return [Finding("repository", "problem", str(error), action)]
    except ExpiredError as error:
        action = "run `edgeagent publish refresh` where the models are published, and copy the repository"
        return [Finding("repository", "problem", str(error), action)]
    except DeliveryError as error:
        return [Finding("repository", "problem", str(error), "see docs/delivery-device.md")]
    findings = [Finding("repository", "ok", f"{address} verifies; {_offered(channel)}")]
    findings += _expiry(folder, now)
    server = client.server_time()
    if server is not None:
        found = f"{abs((server - now).total_seconds()):.0f} s from that of the server"
        findings.append(Finding("clock of delivery", "ok", found))
    return findings


def _offered(channel: Channel) -> str:
    valid = [release for release in channel.releases if release.withdrawn is None]
    return f"channel {channel.channel} offers {len(valid)} releases"


def _expiry(folder: Path, now: datetime) -> list[Finding]:
    """Return the metadata that expire soon, or the one that expires first."""
    left: dict[str, timedelta] = {}
    for path in folder.glob("*.json"):
        md: Metadata[Any] = Metadata[Any].from_bytes(path.read_bytes())
        left[unquote(path.stem)] = md.signed.expires - now
    soon = {role: time for role, time in left.items() if time < SOON.get(role, SOON_ELSE)}
    if not soon:
        role = min(left, key=lambda role: left[role])
        return [Finding("expiry", "ok", f"{role} first, in {_days(left[role])} days")]
    action = "run `edgeagent publish refresh` where the models are published, and copy the repository"
    return [
        Finding("expiry", "warning", f"{role} expires in {_days(time)} days; no update after that", action)
        for role, time in sorted(soon.items())
    ]


def _days(time: timedelta) -> str:
    return f"{time / timedelta(days=1):.1f}"
