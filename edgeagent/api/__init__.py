"""Python API: what :mod:`edgeagent` offers to a program of its own, such as a robot or a kiosk.

detector.py      ``open_detector``: one detector, chosen, checked, isolated, with several frames in flight
classifier.py    ``open_classifier``: the same for a classifier
segmenter.py     ``open_segmenter``: the same for a segmenter
task_session.py  what the last two share
evaluation.py    ``evaluate``: accuracy of a bundle on labelled pictures
"""
