"""Hard frames that devices have sent.

They are kept by tenant within a quota (``frame_archive``), packed for labelling tools (``frame_export``), and
their labels are taken back (``frame_labels``).
"""
