#!/bin/sh
# Makes models/coco-small again. DATA is a folder with the pictures and the float model that the card names:
#   models/picodet_s_416.onnx  data/coco  data/vehicles_openimages  data/highway_road_users  data/unlabelled
# How it is made is in coco-small.yaml. No labelled picture is used for calibration or training: all 192 are for the
# measurement. The golden pictures are those of golden-frames.sh.
set -eu
DATA=${DATA:-../shared}
here=$(dirname "$0")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/golden" "$work/images" "$work/labels"
sh "$here/golden-frames.sh" "$work/golden"
for split in val train; do
    cp "$DATA/data/coco/images/$split"/* "$work/images"
    cp "$DATA/data/coco/labels/$split"/* "$work/labels"
done

${EDGEAGENT:-edgeagent} qat train --model "$DATA/models/picodet_s_416.onnx" --describe "$here/picodet-s-416.yaml" \
    --images "$DATA/data/unlabelled" \
    --images "$DATA/data/vehicles_openimages/train/images" \
    --images "$DATA/data/highway_road_users/train/images" \
    --recipe "$here/coco-small.yaml" \
    --val-images "$work/images" --val-labels "$work/labels" \
    --golden "$work/golden" --out "$here/coco-small" --replace "$@"
