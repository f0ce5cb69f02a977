"""Labelled pictures: datasets for evaluation, training and golden sets.

``yolo_labels`` pairs pictures with label files in YOLO format, reads the labels and writes detections as
labels. Boxes of labels are fractions of the picture size; boxes of detections are pixels.
"""
