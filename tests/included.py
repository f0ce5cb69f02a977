"""The quick one of the included bundles, for tests that need a real model and not the default one."""

from __future__ import annotations

from edgeagent.files.resources import included_bundles

QUICK_NAME = "coco-nano"
QUICK_BUNDLE = included_bundles()[QUICK_NAME]
