"""Labelled pictures: one reader of data sets for evaluation, training, bench and golden sets.

``given`` is what a user names, ``dataset`` finds out its layout: YOLO folders (``yolo_labels``,
``image_folders``), ``data.yaml`` of Ultralytics and Roboflow (``data_yaml``), or COCO JSON (``coco_json``,
``coco_entries``, ``picture_shape``). ``class_names`` matches classes to the labels of a model by name.
``picture_files`` lists pictures and checks them. Boxes of ``labels`` are fractions of the picture size; boxes
of detections are pixels. ``label_export`` writes pictures with proposed labels.
"""
