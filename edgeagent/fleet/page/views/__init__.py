"""Views of the fleet's page as HTML, complete without JavaScript.

``overview`` is the fleet at a glance, ``devices`` the table, ``device`` one device, ``models``, ``comparison``,
``rollouts``, ``alarms``, ``audit`` and ``user_list`` the others. ``fleet_table`` has sorting and paging,
``state_bar`` and ``line_chart`` draw, ``fleet_frame`` is around all views, ``teaching`` says how to begin.
"""
