"""The live page of the device: pictures, events and state in a browser, while the agent detects.

``server`` runs uvicorn (``http_config``) in a thread of its own with the ``application``, its requests
guarded by ``access``, ``sessions`` and ``sign_in``; ``sign_in_pages`` are the pages for that.
``live_pictures`` encodes a picture once for all viewers, ``viewers`` has the newest of each camera,
``streams`` sends it. ``device_record`` keeps the messages that the agent publishes, from which ``views`` are
written. ``parts`` are the style sheets and modules of the browser. The page of a fleet stands on the same.
"""
