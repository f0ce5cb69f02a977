"""Quantization factory: from a float model and pictures to a bundle with evidence."""
