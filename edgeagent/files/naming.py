"""Text for logs, errors and messages: file names, sources without credentials, text of limited length.

Two things must never get out: a credential, and bytes that a log or an MQTT message cannot encode
(a file name on Linux is any bytes; Python carries those that are not UTF-8 as lone surrogates).
"""

from __future__ import annotations

import os
import re

# Everything between "://" and the last "@" of the word: a password may itself hold "/", "?" or "@".
_USERINFO = re.compile(r"(?<=://)[^\s\"']*@")
_SECRET_OPTION = re.compile(
    r"([A-Za-z_-]*(?:password|passwd|passphrase|pass|pwd|user-id|user-pw|token|secret|key|auth|signature|sig)=)"
    r"(\"[^\"]*\"|'[^']*'|[^&\s!;\"']+)",
    re.IGNORECASE,
)

# C0, DEL, C1, line and paragraph separators, bidirectional controls (UAX #9), surrogates
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(path: str | os.PathLike[str]) -> str:
    """Return a file name that can be printed: bytes that are not UTF-8 become ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def escape_controls(text: str) -> str:
    r"""Return a text without control characters, which appear as ``\n``, ``\x1b`` or ``\u202e``.

    Line separators, marks that change the direction of writing and halves of surrogate pairs count as
    control characters, too. The result has one line.
    """
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def redact(source: str) -> str:
    """Return ``source`` without credentials, safe to print.

    User information of a URL and the values of options that usually carry a secret (``password=``,
    ``token=``, GStreamer's ``user-pw=``) become ``***``. When in doubt, it hides too much.
    """
    return _SECRET_OPTION.sub(r"\1***", _USERINFO.sub("***@", printable(source)))


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters; a longer one is cut and ends with ``...``."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
