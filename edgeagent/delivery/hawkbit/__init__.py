"""Control of updates by an Eclipse hawkBit server, over its Direct Device Integration (DDI) API.

``ddi`` is the API client, ``conversation`` the polling and its state, ``source`` the release that hawkBit
assigns to this device, in the form that the updater expects, and ``feedback`` the report of an action's
progress and result.
"""
