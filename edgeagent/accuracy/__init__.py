"""Accuracy of the serving model: measurement, comparison and monitoring.

``evaluation`` measures mAP on labelled pictures (``coco_map`` computes it), ``golden_accuracy`` measures it
on the golden pictures of a bundle, and ``golden_claims`` creates the labels and claims of a bundle.
``agreement`` compares two models, with confidence intervals from ``proportion``. ``drift`` detects changes in
the scene of a camera: ``scene`` collects histograms, ``two_samples`` compares them, ``drift_file`` stores the
reference. ``feedback`` collects verdicts of users. ``live`` runs all of this beside the daemon.
"""
