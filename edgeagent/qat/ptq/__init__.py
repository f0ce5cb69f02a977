"""Quantization without training: calibration, equalization, corrections, and the best of them."""
