"""The included bundle, which every compiler gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.files.resources import find_bundle


@pytest.fixture(scope="package")
def bundle() -> Bundle:
    return open_bundle(find_bundle(Path("coco-nano")))
