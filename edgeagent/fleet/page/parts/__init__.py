"""Style sheet and module of the fleet's page, beside those of ``edgeagent.web.parts``.

``fleet.css`` has tiles, filters and charts. ``fleet.js`` adds keys, remembers nothing, and sends nothing but
what a form would send.
"""
