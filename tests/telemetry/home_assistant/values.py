"""A telemetry message in which everything is known."""

from __future__ import annotations

import json
import re
from pathlib import Path

from edgeagent.telemetry.contract.messages import Telemetry

TEXT = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text(encoding="utf-8")


def documented() -> Telemetry:
    """The example of docs/mqtt.md."""
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
    example = next(example for example in examples if "system" in example)
    return Telemetry.model_validate_json(json.dumps(example), strict=True)
