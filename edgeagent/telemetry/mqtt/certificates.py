"""How long the certificates of the connection to the broker are still valid."""

from __future__ import annotations

import logging
import math
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509

from edgeagent.settings.sections.mqtt import TlsSettings

logger = logging.getLogger(__name__)

WARN_DAYS = 30.0
LOOK_S = 3600.0
DAY_S = 86400.0


def days_left(file: Path, now: datetime) -> float:
    """Return the days until the first certificate of a PEM file is over, below 0 when it is.

    Raises:
        OSError, ValueError: the file cannot be read, or has no certificate.
    """
    ends = [each.not_valid_after_utc for each in x509.load_pem_x509_certificates(file.read_bytes())]
    return (min(ends) - now).total_seconds() / DAY_S


class CertificateWatch:
    """Looks at the files now and then: they may be renewed while the agent runs.

    Args:
        tls: of the broker; None where the connection is clear text.
    """

    def __init__(self, tls: TlsSettings | None) -> None:
        files = {"ca": tls.ca, "device": tls.certificate} if tls is not None else {}
        self._files = {name: file for name, file in files.items() if file is not None}
        self._due = -math.inf
        self.days: dict[str, float] = {}
        """Days left by certificate, ``ca`` or ``device``, when it was looked last."""

    def look(self, now: float) -> bool:
        """Look again if it is time (monotonic seconds); return whether :meth:`problem` is another one."""
        if not self._files or now < self._due:
            return False
        self._due, before = now + LOOK_S, self.problem()
        today, found = datetime.now(timezone.utc), {}
        for name, file in self._files.items():
            try:
                found[name] = days_left(file, today)
            except (OSError, ValueError) as error:
                logger.warning("%s: how long it is valid cannot be read (%s)", file, error)
        self.days = found
        return self.problem() != before

    def problem(self) -> str | None:
        """Return what is wrong, for people; None when all are valid for long."""
        soon = {name: days for name, days in self.days.items() if days < WARN_DAYS}
        if not soon:
            return None
        return "; ".join(f"{self._files[name]} {_ends(days)}" for name, days in soon.items())


def _ends(days: float) -> str:
    return "has expired" if days < 0 else f"expires in {int(days)} days"
