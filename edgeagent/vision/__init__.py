"""Detection arithmetic around an engine: preprocessing, decoding, non-maximum suppression, drawing.

``detections`` is the result type: arrays of boxes, scores and classes. ``preprocessor`` writes pictures into
input buffers and converts boxes back. ``decoder`` selects the decoder of a model family: ``decoder_yolox``,
``decoder_yolov5``, ``decoder_yolov8``, ``decoder_ssd``, ``decoder_end_to_end``; ``heads`` reads raw head
tensors. ``nms`` suppresses overlapping boxes, ``draw`` draws detections,
``picture_motion`` finds what moves.
"""
