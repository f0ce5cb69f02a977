#!/bin/sh
# Writes the golden pictures of the included bundles into a folder: single frames of the sample clip.
#   sh models/golden-frames.sh FOLDER
set -eu
here=$(dirname "$0")
for second in 2 12 22 32; do
    ffmpeg -v error -y -ss $second -i "$here/../edgeagent/data/campus.mp4" -frames:v 1 -q:v 3 "$1/campus-$second.jpg"
done
