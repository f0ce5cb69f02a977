"""Accuracy measurements beside the running daemon, at low priority.

Start with ``accuracy_watch``, which schedules the measurements and publishes the accuracy message;
``reports`` builds its parts. ``golden_run`` measures mAP on the golden pictures. ``shadow`` runs a second
model on every k-th frame, ``reference_model`` selects and loads it. ``feedback_handler`` answers feedback
messages.
"""
