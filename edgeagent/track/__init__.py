"""Tracks: detections of one camera, followed from frame to frame by camera time.

``tracker`` has the protocol and its options, ``choice`` makes one by name; ``bytetrack`` and ``ocsort``
decide which detection continues which track. ``lifecycle`` is what both share: how a track starts, is
confirmed, goes missing and ends, in the arrays of ``table``. ``candidates`` are the detections that count;
``motion`` predicts boxes; ``similarity``, ``assignment`` and ``pairing`` compare and pair them;
``camera_clock`` tells an interval between frames from a break; ``tracks`` is the result.
"""
