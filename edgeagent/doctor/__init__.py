"""Examination of a board for ``edgeagent doctor``: checks with a verdict and a recommended action.

Start with ``examination``, the list of all checks; ``finding`` defines their input and output, ``listing``
their text. ``board_profile``, ``board_recognition`` and ``profile_text`` are about the boards of
``config/boards/``. Each other module holds the checks of one area: ``board``, ``broker``, ``cameras``,
``clock``, ``delegates``, ``delivery``, ``permissions``, ``profile_check``, ``sensors``, ``storage``,
``traffic``, ``versions``. Nothing is changed on the system, and no camera is opened.
"""
