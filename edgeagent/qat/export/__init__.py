"""Export of a trained network to artefacts of each format, and the operators that engines run for them."""
