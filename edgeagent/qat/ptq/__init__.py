"""Post-training quantization: calibration, equalization, bias and weight correction, and their search."""
