"""Signing in at the fleet's page through an identity provider (OpenID Connect Core 1.0).

``oidc_settings`` is the file of settings, ``oidc_provider`` the client of the provider; ``oidc_claims`` makes
a user of what the provider says, and ``oidc_people`` knows those who have signed in.
"""
