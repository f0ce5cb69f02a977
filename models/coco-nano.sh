#!/bin/sh
# Makes models/coco-nano again. DATA is a folder with the pictures and the float model that the card names:
#   models/yolox_nano.onnx  data/coco  data/vehicles_openimages  data/highway_road_users  data/unlabelled
# How it is trained is in coco-nano.yaml, the golden pictures are those of golden-frames.sh.
set -eu
DATA=${DATA:-../shared}
here=$(dirname "$0")

golden=$(mktemp -d)
trap 'rm -rf "$golden"' EXIT
sh "$here/golden-frames.sh" "$golden"

coco=$DATA/data/coco/images/train
${EDGEAGENT:-edgeagent} qat train --model "$DATA/models/yolox_nano.onnx" --describe "$here/yolox-nano.yaml" \
    --images "$coco" --images "$coco" --images "$coco" --images "$coco" \
    --images "$DATA/data/vehicles_openimages/train/images" \
    --images "$DATA/data/highway_road_users/train/images" \
    --images "$DATA/data/unlabelled" \
    --recipe "$here/coco-nano.yaml" \
    --val-images "$DATA/data/coco/images/val" --val-labels "$DATA/data/coco/labels/val" \
    --golden "$golden" --out "$here/coco-nano" --replace "$@"
