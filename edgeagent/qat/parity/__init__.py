"""Parity: comparison of artefacts in their engines with the trained network."""
