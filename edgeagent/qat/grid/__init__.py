"""Which tensors have a quantization grid, and which share one, under each preset."""
