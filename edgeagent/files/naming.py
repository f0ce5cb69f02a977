"""Text for logs, errors and messages: file names, sources without credentials, text of limited length.

Two things must never get out: a credential, and bytes that a log or an MQTT message cannot encode
(a file name on Linux is any bytes; Python carries those that are not UTF-8 as lone surrogates).
"""

from __future__ import annotations

import os
import re

_MAX_SOURCE = 4096
_HIDDEN = "***"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{0,2}")
# a name of a parameter or property whose value is hidden, with the "=" or ":" behind it
_HIDDEN_NAME = (
    r"(?<![\w.%\[\]-])(?:[\w.%\[\]-]*"
    r"(?:pas|psw|pwd|pw|token|secret|key|sig|auth|credential|cookie|header|session|jwt)"
    r"[\w.%\[\]-]*|(?:p|sid|md5|user-id|proxy-id)(?![\w-]))"
)
_HIDDEN_PARAMETER = re.compile(rf"({_HIDDEN_NAME}\s*[=:])[^&]*", re.IGNORECASE | re.DOTALL)
_HIDDEN_WORD = re.compile(rf"({_HIDDEN_NAME}\s*=)\s*(?:\"[^\"]*\"?|'[^']*'?|[^&\s]*)", re.IGNORECASE)
_HIDDEN_ALONE = re.compile(_HIDDEN_NAME, re.IGNORECASE)
# gst-launch-1.0(1): NAME=VALUE, blanks around "=" allowed; the value may have a type and quotes. A value
# without quotes reaches here to the next property or "!", so that no part of a badly quoted one is shown.
_PROPERTY = re.compile(
    r"([A-Za-z][\w-]*)(\s*=\s*(?:\(\w+\)\s*)?)"
    r"(\"(?:[^\"\\]|\\.)*\"?\S*|'(?:[^'\\]|\\.)*'?\S*|(?:(?!\s+!|\s+[A-Za-z][\w-]*\s*=).)*)",
    re.DOTALL,
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

    ``***`` takes the place of

    - everything between ``//`` and the last ``@`` of a URL, whose password may hold any character;
    - the values of parameters and of GStreamer's properties whose name holds ``pas``, ``psw``, ``pw``,
      ``token``, ``secret``, ``key``, ``sig`` and the like, in quotes or not.

    When in doubt, it hides too much: more than 4096 characters are not shown at all.
    """
    text = printable(source)
    if len(text) > _MAX_SOURCE:
        return f"{_HIDDEN} ({len(text)} characters)"
    if text.lower().startswith("gstreamer:"):
        return _PROPERTY.sub(_property, text)
    if _SCHEME.match(text):
        return _url(text)
    return _text(text)


def _url(text: str) -> str:
    """Return a URL, or a value that may be one, without its credentials."""
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    at = text.rfind("@") if scheme else -1
    if at >= start:
        return text[:start] + _HIDDEN + _behind_userinfo(text[start:at], text[at:])
    path = re.search(r"[/?;]", text[start:]) if scheme else None
    rest = start + path.start() if path else (len(text) if scheme else 0)
    return text[:rest] + _HIDDEN_PARAMETER.sub(rf"\1{_HIDDEN}", text[rest:])


def _behind_userinfo(hidden: str, rest: str) -> str:
    """Return what follows hidden text, from its ``@`` on, which may itself be part of a secret parameter."""
    if _HIDDEN_PARAMETER.search(hidden.rpartition("&")[2]) and "?" in hidden:
        rest = "&" + rest.partition("&")[2] if "&" in rest else ""
    host = re.match(r"@[^/?;&]*", rest)
    start = host.end() if host else 0
    return rest[:start] + _HIDDEN_PARAMETER.sub(rf"\1{_HIDDEN}", rest[start:])


def _property(found: re.Match[str]) -> str:
    name, equals, value = found.groups()
    if _HIDDEN_ALONE.fullmatch(name):
        return f"{name}{equals}{_HIDDEN}"
    quote = value[:1] if value[:1] in ("'", '"') else ""
    return f"{name}{equals}{quote}{_url(value[len(quote) :])}"


def _text(text: str) -> str:
    """Return a text in which a URL may stand, without credentials."""
    address = text.find("://")
    if address < 0:
        return _HIDDEN_WORD.sub(rf"\1{_HIDDEN}", text)
    start = re.search(r"\S*$", text[:address])
    begin = start.start() if start else address
    word = _SCHEME.search(text[begin : address + 3])
    begin += word.start() if word else 0
    return _HIDDEN_WORD.sub(rf"\1{_HIDDEN}", text[:begin]) + _url(text[begin:])


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters; a longer one is cut and ends with ``...``."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
