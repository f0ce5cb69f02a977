"""Questions to the store, one file each: the statement, and the typed result that page and API show.

``fleet_row`` is the base of results, ``device_state`` how the state of a device follows from its messages,
``tenant_filter`` which rows a visitor may see, ``page_of_rows`` parts of long lists. All values are parameters
of the statement; of what a request says, nothing becomes a part of the text of a statement.
"""
