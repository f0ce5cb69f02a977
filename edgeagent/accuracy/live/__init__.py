"""Accuracy measurements during operation, at low priority.

Start with ``accuracy_watch``, which schedules the measurements and publishes the accuracy message;
``reports`` builds its sections. ``golden_run`` measures mAP on the golden pictures, ``camera_drift`` the
drift of one camera, and ``agreement_run`` the agreement with a reference model: ``shadow`` runs it on every
k-th frame, ``reference_model`` selects and loads it. ``feedback_handler`` answers feedback messages.
"""
