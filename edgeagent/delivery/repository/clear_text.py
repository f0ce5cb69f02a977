"""Note on a repository that is read without TLS; its integrity does not depend on TLS."""

from __future__ import annotations

from urllib.parse import urlsplit

from edgeagent.files.naming import redact

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def clear_text_note(repository: str) -> str | None:
    """Return what to know about a repository over ``http://``; None for any other, and for this machine.

    Args:
        repository: URL or folder of the configuration.
    """
    parts = urlsplit(repository)
    if parts.scheme.lower() != "http" or parts.hostname in _THIS_MACHINE:
        return None
    return (
        f"{redact(repository)} is read without TLS: others on the way see which models this device fetches, "
        "and can hold them back; they cannot change them, as every file is signed"
    )
