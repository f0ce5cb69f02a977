#!/bin/sh
# Makes an included bundle again:
#   sh models/make.sh coco-small|coco-small-320|coco-nano [OPTIONS OF qat train]
# DATA is a folder with the pictures and the float models that the cards name:
#   models/*.onnx  data/coco  data/vehicles_openimages  data/highway_road_users  data/unlabelled
# How each is made is in its .yaml. No labelled picture is used for calibration or training: all 192 are for the
# measurement. The golden pictures are those of golden-frames.sh.
set -eu
DATA=${DATA:-../shared}
here=$(dirname "$0")
name=${1:-}
case $name in
    coco-small) model=picodet_s_416 describe=picodet-s-416 ;;
    coco-small-320) model=picodet_s_320 describe=picodet-s-320 ;;
    coco-nano) model=yolox_nano describe=yolox-nano ;;
    *)
        echo "usage: $0 coco-small|coco-small-320|coco-nano [OPTIONS OF qat train]" >&2
        exit 2
        ;;
esac
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/golden" "$work/images" "$work/labels"
sh "$here/golden-frames.sh" "$work/golden"
for split in val train; do
    cp "$DATA/data/coco/images/$split"/* "$work/images"
    cp "$DATA/data/coco/labels/$split"/* "$work/labels"
done

${EDGEAGENT:-edgeagent} qat train --model "$DATA/models/$model.onnx" --describe "$here/$describe.yaml" \
    --images "$DATA/data/unlabelled" \
    --images "$DATA/data/vehicles_openimages/train/images" \
    --images "$DATA/data/highway_road_users/train/images" \
    --recipe "$here/$name.yaml" \
    --val-images "$work/images" --val-labels "$work/labels" \
    --golden "$work/golden" --out "$here/$name" --replace "$@"
