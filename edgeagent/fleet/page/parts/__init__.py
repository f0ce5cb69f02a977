"""Style sheet and module of the fleet's page, beside those of ``edgeagent.web.parts``.

``fleet.css`` has figures, filters and charts in both themes. ``fleet.js`` adds keys and questions before
something is removed; all views work without it.
"""
