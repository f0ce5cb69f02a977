"""The JSON Schema of a report: ``python -m edgeagent.bench.schema > docs/bench.schema.json``."""

from __future__ import annotations

import json
import sys

from edgeagent.bench.results import BenchReport


def schema_text() -> str:
    """Return the schema, made from the types, as the file holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **BenchReport.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
