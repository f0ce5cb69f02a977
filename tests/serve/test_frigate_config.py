"""Configuration lines for Frigate and the label map fit the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edgeagent.bundle.reading import open_bundle
from edgeagent.files.resources import included_bundles
from edgeagent.serve.frigate_config import configuration_lines, frigate_labels, label_map

ROOT = Path(__file__).parents[2]
ENDPOINT = "tcp://127.0.0.1:5555"


def load_labels(text: str) -> dict[int, str]:
    """Read a label file as Frigate does when its first line begins with a number."""
    labels = dict.fromkeys(range(91), "unknown")
    for line in text.splitlines(keepends=True):
        index, label = line.split(" ", maxsplit=1)
        labels[int(index)] = label.strip()
    return labels


@pytest.mark.parametrize("name", included_bundles())
@pytest.mark.parametrize("label_file", [False, True])
def test_the_lines_describe_the_bundle(name: str, label_file: bool) -> None:
    manifest = open_bundle(included_bundles()[name]).manifest
    read = yaml.safe_load("\n".join(configuration_lines(manifest, ENDPOINT, label_file)))
    assert read["detectors"] == {
        "edgeagent": {"type": "zmq", "endpoint": ENDPOINT, "request_timeout_ms": 1000}
    }
    model = read["model"]
    assert (model["width"], model["height"]) == (manifest.input.width, manifest.input.height)
    assert model["input_pixel_format"] == manifest.input.colour
    assert (model["input_tensor"], model["input_dtype"]) == ("nhwc", "int")
    assert Path(model["path"]).name == name  # what the handshake asks for
    assert model.get("labelmap") == (None if label_file else frigate_labels(manifest))
    assert ("labelmap_path" in model) is label_file


@pytest.mark.parametrize("name", included_bundles())
def test_the_label_map_has_the_index_of_each_class(name: str) -> None:
    manifest = open_bundle(included_bundles()[name]).manifest
    read = load_labels(label_map(manifest))
    assert [read[index] for index in range(len(manifest.labels))] == list(frigate_labels(manifest).values())
    assert read[len(manifest.labels)] == "unknown"
    assert (read[0], read[3], read[57], read[62]) == ("person", "motorcycle", "couch", "tv")


def test_the_sample_is_what_the_command_prints() -> None:
    manifest = open_bundle(included_bundles()["coco-small"]).manifest
    sample = (ROOT / "config" / "frigate" / "config.yml").read_text(encoding="utf-8")
    lines = [line for line in sample.splitlines() if not line.startswith("##")]
    endpoint = "ipc:///run/edgeagent-detector/frigate.sock"
    assert lines == list(configuration_lines(manifest, endpoint, label_file=True))
    labels = (ROOT / "config" / "frigate" / "labelmap.txt").read_text(encoding="utf-8")
    assert labels == label_map(manifest)


def test_an_input_that_is_not_square_is_pointed_out() -> None:
    manifest = open_bundle(included_bundles()["coco-nano"]).manifest
    wide = manifest.model_copy(update={"input": manifest.input.model_copy(update={"width": 640})})
    assert any("not square" in line for line in configuration_lines(wide, ENDPOINT))
