"""Page of a fleet: what its devices do, in a browser, for people with different rights.

``fleet_server`` runs uvicorn with the ``fleet_application``, guarded by ``fleet_guard`` (sessions and
tokens of its users) and ``request_limit``. ``views`` write HTML that is complete without JavaScript;
``permalinks`` have each filter in the address. ``parts`` are style sheet and module beside the shared ones.
"""
