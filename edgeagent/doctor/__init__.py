"""Examination of a board for ``edgeagent doctor``: checks with a verdict and a recommended action.

Start with ``examination``, the list of all checks; ``finding`` defines their input and output. Each other
module holds the checks of one area: ``board``, ``broker``, ``cameras``, ``clock``, ``delegates``,
``permissions``, ``sensors``, ``storage``, ``versions``. Nothing is changed on the system, and no camera is
opened.
"""
