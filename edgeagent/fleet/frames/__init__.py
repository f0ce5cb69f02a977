"""Hard frames that devices have sent: kept by tenant, shown, exported, and their labels taken back.

``received_notes`` and ``received_picture`` check what comes, ``frame_archive`` keeps frames within a quota,
``frame_export`` writes them for a labelling tool, and ``frame_labels`` takes labels back.
"""
