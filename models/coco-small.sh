#!/bin/sh
# Makes models/coco-small or models/coco-small-320 again:
#   sh models/coco-small.sh coco-small|coco-small-320 [OPTIONS OF qat train]
# DATA is a folder with the pictures and the float model that the cards name:
#   models/picodet_s_416.onnx or _320  data/coco  data/vehicles_openimages  data/highway_road_users  data/unlabelled
# How each is made is in its .yaml. No labelled picture is used for calibration or training: all 192 are for the
# measurement. The golden pictures are those of golden-frames.sh.
set -eu
DATA=${DATA:-../shared}
here=$(dirname "$0")
name=${1:-coco-small}
[ $# -eq 0 ] || shift
case $name in
    coco-small) size=416 ;;
    coco-small-320) size=320 ;;
    *) echo "$0: $name: coco-small or coco-small-320" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/golden" "$work/images" "$work/labels"
sh "$here/golden-frames.sh" "$work/golden"
for split in val train; do
    cp "$DATA/data/coco/images/$split"/* "$work/images"
    cp "$DATA/data/coco/labels/$split"/* "$work/labels"
done

${EDGEAGENT:-edgeagent} qat train --model "$DATA/models/picodet_s_$size.onnx" --describe "$here/picodet-s-$size.yaml" \
    --images "$DATA/data/unlabelled" \
    --images "$DATA/data/vehicles_openimages/train/images" \
    --images "$DATA/data/highway_road_users/train/images" \
    --recipe "$here/$name.yaml" \
    --val-images "$work/images" --val-labels "$work/labels" \
    --golden "$work/golden" --out "$here/$name" --replace "$@"
