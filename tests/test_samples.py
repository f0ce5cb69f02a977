"""The samples in config/ for Telegraf, Prometheus and Grafana name only what there is."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeagent.detection.frame_result import STAGES
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.telemetry.contract.messages import ROOT, Alarm, Telemetry
from edgeagent.telemetry.contract.streams import STREAMS
from edgeagent.telemetry.prometheus.exporter import Exporter
from edgeagent.timing.histogram import StageTimes
from tests.telemetry.home_assistant.values import documented

CONFIG = Path(__file__).parents[1] / "config"
DASHBOARD: dict[str, Any] = json.loads((CONFIG / "grafana" / "edgeagent.json").read_text(encoding="utf-8"))
VARIABLES = [
    variable["definition"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"
]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def metrics() -> dict[str, set[str]]:
    """Labels of all metrics of a device of which everything is known, by name of the sample."""
    exporter = Exporter(PrometheusSettings(), {"yard": StageTimes(STAGES)})
    telemetry = documented()
    system = telemetry.system.model_copy(update={"fps_limit": 10.0})
    exporter.record(telemetry.model_copy(update={"system": system}))
    exporter.record_alarm(Alarm(time=telemetry.time, problems=()))
    found: dict[str, set[str]] = {}
    for family in exporter.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *VARIABLES])
def test_the_dashboard_asks_for_what_there_is(expression: str) -> None:
    known, names = metrics(), set(re.findall(r"edgeagent_[a-z_]+", expression))
    assert names <= set(known)
    assert names or re.search(r"\bup\{", expression)  # Prometheus makes `up` itself
    for stage in re.findall(r'stage="(\w+)"', expression):
        assert stage in STAGES


@pytest.mark.parametrize("panel", DASHBOARD["panels"])
def test_a_panel_names_its_series_by_labels_that_there_are(panel: dict[str, Any]) -> None:
    known = metrics()
    for target in panel["targets"]:
        (name,) = set(re.findall(r"edgeagent_[a-z_]+", target["expr"])) or {"up"}
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known.get(name, set()) | {"instance"}
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_dashboard_can_be_imported() -> None:
    """It has what Grafana asks for: title, schema version, panels with ids and places of their own."""
    panels = DASHBOARD["panels"]
    assert (DASHBOARD["title"], DASHBOARD["schemaVersion"], "id" in DASHBOARD) == ("edgeagent", 39, False)
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart = any(
            one[axis] + one[size] <= two[axis]
            for axis, size in (("x", "w"), ("y", "h"))
            for one, two in ((panel, other), (other, panel))
        )
        assert apart
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_prometheus_reads_the_port_that_is_the_default() -> None:
    sample = yaml.safe_load((CONFIG / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = sample["scrape_configs"]
    for target in job["static_configs"][0]["targets"]:
        assert target.endswith(f":{PrometheusSettings().port}")


def test_telegraf_reads_topics_and_fields_that_there_are() -> None:
    text = (CONFIG / "telegraf" / "edgeagent.conf").read_text(encoding="utf-8")
    topics = {f"{ROOT}/+/{stream.topic}" for stream in STREAMS}
    found = re.findall(r'topics? = \[?"([^"]+)"', text)
    assert len(found) == 2
    assert set(found) <= topics
    selections = re.findall(r'metric_selection = "/(\w*)', text)
    assert selections == ["cameras", "system", ""]
    losses = set(re.findall(r"name\(\)='(\w+)'|parent::(\w+)", text))
    names = {name for pair in losses for name in pair if name}
    assert names == {"sequence", "run", "messages_dropped", "messages_dropped_by_stream"}
    assert {"cameras", "system", "time", *names} <= set(Telemetry.model_fields)
    named = re.findall(r"\b[a-z]+_[a-z_]+", " ".join(re.findall(r"# Of .*: (.*)", text)))
    flat = flattened(json.loads(documented().payload()))
    for name in (name.rstrip("_") for name in named):
        assert any(name in field for field in flat), name


def flattened(part: Any, prefix: str = "") -> set[str]:
    """Names of all fields, as Telegraf joins them."""
    if not isinstance(part, dict):
        return {prefix}
    return set().union(*(flattened(value, f"{prefix}_{name}") for name, value in part.items()))
