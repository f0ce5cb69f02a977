"""Who may do what with a fleet: local users with roles, API tokens, and the audit of what they have done.

``user_file`` is the SQLite file with users, tokens and audit; ``user_store`` users and tokens in it,
``user_audit`` what was done. ``actor`` is whoever makes a request, ``fleet_credentials`` the check of
passwords and tokens for the pages that sign people in.
"""
