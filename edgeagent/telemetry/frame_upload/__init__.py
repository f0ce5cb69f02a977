"""Upload of hard frames: the targets, and what sends from the disk.

Off unless ``hard_frames.upload`` is there.
"""
