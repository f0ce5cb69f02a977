"""Cameras: frame sources, capture threads and the hand-over of frames to the detector.

Start with ``capture``: the thread that opens a source, paces it (``pace``), reconnects it and puts its frames
into the latest-frame slot of ``slot``. ``source`` is the protocol of frame sources, ``sources`` selects one
by the configured string: ``opencv`` (V4L2, GStreamer), ``stream`` (RTSP, HTTP), ``picamera2``, ``clip``,
``folder``. ``rate`` measures the frame rate, ``fair_share`` schedules several cameras on one engine.
``decoding`` says which decoder works and what it costs; ``decoders`` lists those of hardware, and
``decoder_trial`` tries one. ``packets`` reads the encoded stream for clips, beside detection.
``finding`` looks for cameras when somebody asks.
"""
