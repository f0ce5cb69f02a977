"""Signing in at the fleet's page through an identity provider (OpenID Connect Core 1.0)."""
