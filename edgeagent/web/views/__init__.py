"""Views of the page as HTML, complete without JavaScript.

``layout`` is the frame of a page, ``markup`` writes numbers and times; ``live``, ``events``, ``status`` and
``sign_in_form`` are the views, ``zones`` the editor of zones. ``advice`` says what to do about an alarm.
"""
