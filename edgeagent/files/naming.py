"""How sources and files are named in logs, errors and state.

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


def printable(path: str | os.PathLike[str]) -> str:
    """The name of a file for people: bytes that are not UTF-8 are written as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def redact(source: str) -> str:
    """Return ``source`` without credentials, safe to print.

    User information of a URL and the values of options that usually carry a secret (``password=``,
    ``token=``, GStreamer's ``user-pw=``) become ``***``. It rather hides too much than too little.
    """
    return _SECRET_OPTION.sub(r"\1***", _USERINFO.sub("***@", printable(source)))
