"""Label map and configuration lines for Frigate, made from a bundle.

Frigate 0.17 reads a label file with one ``index label`` a line (``load_labels``), and tracks objects by these
names; ``model.labelmap`` holds the same in the configuration. The index is that of the bundle's labels, from
0. Bundles trained with Darknet's COCO names get the
names of COCO, which Frigate's defaults, translations and icons know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from edgeagent.bundle.manifest import ModelDescription

COCO_NAMES = {
    "motorbike": "motorcycle",
    "aeroplane": "airplane",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}
"""Names of COCO by those of Darknet (``coco.names``)."""
LABEL_MAP = "labelmap.txt"
LABEL_MAP_IN_FRIGATE = f"/config/edgeagent/{LABEL_MAP}"
TIMEOUT_MS = 1000


def frigate_labels(description: ModelDescription) -> dict[int, str]:
    """Return the labels of a bundle as Frigate calls them, by class index."""
    names = [COCO_NAMES.get(label, label) for label in description.labels]
    return {index: " ".join(name.split()) for index, name in enumerate(names)}


def label_map(description: ModelDescription) -> str:
    """Return the label file of a bundle, ``index label`` a line."""
    return "".join(f"{index} {name}\n" for index, name in frigate_labels(description).items())


def configuration_lines(
    description: ModelDescription, endpoint: str, label_file: bool = False
) -> Iterator[str]:
    """Yield the lines of Frigate's ``config.yml``.

    Args:
        description: of the bundle that is served.
        endpoint: that Frigate connects to.
        label_file: name the label file, which lies in Frigate's ``/config/edgeagent``; else the lines hold
            the labels.
    """
    spec = description.input
    yield f"# {description.name} {description.version}, served by edgeagent serve-detector"
    yield "detectors:"
    yield "  edgeagent:"
    yield "    type: zmq"
    yield f"    endpoint: {endpoint}"
    yield f"    request_timeout_ms: {TIMEOUT_MS}"
    yield "model:"
    yield f"  path: /config/edgeagent/{description.name}  # only its name is asked for; there need be no file"
    yield f"  width: {spec.width}"
    yield f"  height: {spec.height}"
    yield "  input_tensor: nhwc"
    yield f"  input_pixel_format: {spec.colour}"
    yield "  input_dtype: int"
    if spec.width != spec.height:
        yield "  # not square: Frigate squeezes its square regions into it, at a loss of accuracy"
    if label_file:
        yield f"  labelmap_path: {LABEL_MAP_IN_FRIGATE}"
        return
    yield "  labelmap:"
    for index, name in frigate_labels(description).items():
        yield f"    {index}: {json.dumps(name, ensure_ascii=False)}"
