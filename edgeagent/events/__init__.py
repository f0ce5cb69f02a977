"""Events: the life of each object, and what follows from it.

Start with ``scene``, which observes the frames of one camera. ``object_life`` decides what is reported of an
object and when; ``snapshots`` stores its best picture, and ``clips`` its video, within the bounds of
``retained_files``; ``building`` makes scenes from the settings. ``hard_frames`` keeps whole pictures for
labelling, ``hard_frame_files`` reads them for an export.
"""
