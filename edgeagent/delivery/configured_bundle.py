"""Bundle of the configuration, which serves where nothing was delivered."""

from __future__ import annotations

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.files.resources import find_bundle
from edgeagent.settings.schema import Settings


def configured_bundle(settings: Settings) -> Bundle:
    """Return the bundle of the configuration, verified.

    Raises:
        BundleError: see :func:`edgeagent.bundle.reading.open_bundle`.
    """
    return open_bundle(find_bundle(settings.model.bundle))
