"""Mixed precision: sensitivity of layers to quantization, and the choice of layers that stay float."""
