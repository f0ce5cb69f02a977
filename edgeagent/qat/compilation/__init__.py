"""Artefacts compiled by the tools of chip vendors, which run in environments of their own."""
