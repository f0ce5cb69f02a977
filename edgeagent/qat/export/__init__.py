"""From a trained network to artefacts: each format, and what its engine makes of it."""
