"""Linters: artefacts against the published rules of toolchains that do not run here."""
