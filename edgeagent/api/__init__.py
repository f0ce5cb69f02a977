"""Python API: what :mod:`edgeagent` offers to a program of its own, such as a robot or a kiosk.

detector.py    ``open_detector``: one detector, chosen, checked, isolated, with several frames in flight
evaluation.py  ``evaluate``: accuracy of a bundle on labelled pictures
"""
