"""Remaining validity of the certificates of the broker connection."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from edgeagent.settings.sections.mqtt import TlsSettings

logger = logging.getLogger(__name__)

WARN_DAYS = 30.0
CHECK_EVERY_S = 3600.0
DAY_S = 86400.0


def days_left(file: Path, now: datetime) -> float:
    """Return the days until the first certificate of a PEM file expires; negative when it has expired.

    Raises:
        OSError, ValueError: the file cannot be read, or contains no certificate.
    """
    from cryptography import x509  # only for a connection with TLS: it takes memory

    ends = [each.not_valid_after_utc for each in x509.load_pem_x509_certificates(file.read_bytes())]
    return (min(ends) - now).total_seconds() / DAY_S


@dataclass(frozen=True)
class CertificateExpiry:
    """Remaining validity of a certificate file.

    Attributes:
        name: ``ca`` or ``device``.
        file: its path.
        days: days left; negative when it has expired.
    """

    name: str
    file: Path
    days: float

    @property
    def state(self) -> Literal["valid", "expires", "expired"]:
        """``expires`` within :data:`WARN_DAYS`."""
        if self.days < 0:
            return "expired"
        return "expires" if self.days < WARN_DAYS else "valid"

    @property
    def text(self) -> str:
        """Sentence for people, with the file."""
        if self.state == "valid":
            return f"{self.file} is valid for {int(self.days)} days"
        return f"{self.file} {_expiry(self.days)}"


def name_expired(tls: TlsSettings | None) -> str | None:
    """Return a sentence that names the expired files of a connection; None where none has expired."""
    now, expired = datetime.now(timezone.utc), []
    for file in (tls.ca, tls.certificate) if tls is not None else ():
        with contextlib.suppress(OSError, ValueError):  # CertificateWatch logs files that cannot be read
            if file is not None and days_left(file, now) < 0:
                expired.append(f"{file} has expired")
    return "; ".join(expired) or None


class CertificateWatch:
    """Periodic check of the certificate files, which may be renewed while the agent runs.

    Args:
        tls: TLS settings of the broker; None for a clear-text connection.
        on_change: called with the new problem, or with None when it is over.
        on_certificate: called when the state of a certificate changes; the first state, if not ``valid``.

    Attributes:
        days: days left by certificate, ``ca`` or ``device``, at the last check.
    """

    def __init__(
        self,
        tls: TlsSettings | None,
        on_change: Callable[[str | None], None] = lambda problem: None,
        on_certificate: Callable[[CertificateExpiry], None] = lambda found: None,
    ) -> None:
        files = {"ca": tls.ca, "device": tls.certificate} if tls is not None else {}
        self._files = {name: file for name, file in files.items() if file is not None}
        self._on_change, self._on_certificate = on_change, on_certificate
        self._states: dict[str, str] = {}
        self._due = -math.inf
        self.days: dict[str, float] = {}

    def check(self, now: float) -> None:
        """Read the files if a check is due at this monotonic time (s), and report a changed problem."""
        if not self._files or now < self._due:
            return
        self._due, before = now + CHECK_EVERY_S, self.problem()
        today, found = datetime.now(timezone.utc), {}
        for name, file in self._files.items():
            try:
                found[name] = days_left(file, today)
            except (OSError, ValueError) as error:
                logger.warning("%s: the expiry date cannot be read (%s)", file, error)
        self.days = found
        if (problem := self.problem()) != before:
            self._on_change(problem)
        for each in self.found():
            if each.state != self._states.get(each.name, "valid"):
                self._on_certificate(each)
            self._states[each.name] = each.state

    def found(self) -> list[CertificateExpiry]:
        """Return the certificates that could be read at the last check."""
        return [CertificateExpiry(name, self._files[name], days) for name, days in self.days.items()]

    def problem(self) -> str | None:
        """Return a description of expired certificates, and of those that expire soon; None without any."""
        soon = {name: days for name, days in self.days.items() if days < WARN_DAYS}
        if not soon:
            return None
        return "; ".join(f"{self._files[name]} {_expiry(days)}" for name, days in soon.items())


def _expiry(days: float) -> str:
    return "has expired" if days < 0 else f"expires in {int(days)} days"
