"""View of a provisioning file without its secrets."""

from __future__ import annotations

import hashlib
from typing import Any

from edgeagent.files.naming import redact
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.provisioning.document import Provision


def shown_provision(provision: Provision) -> dict[str, Any]:
    """Return what may be shown of a provisioning file: texts of the configuration are redacted.

    A file is shown by its SHA-256, a secret one as ``secret``: the hash of a short password would tell it.
    """
    files = {
        name: "secret" if file.secret else f"sha256 {hashlib.sha256(file.text.encode()).hexdigest()}"
        for name, file in provision.files.items()
    }
    try:
        configuration: Any = _redacted(parse(provision.configuration.encode()).data)
    except YamlMistakeError as mistake:
        configuration = f"line {mistake.line}: {mistake}"
    return {
        "device": provision.device,
        "id": provision.id,
        "made": provision.made.isoformat(),
        "version": provision.version,
        "board": provision.board.given(),
        "files": files,
        "configuration": configuration,
    }


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return redact(value) if isinstance(value, str) else value
