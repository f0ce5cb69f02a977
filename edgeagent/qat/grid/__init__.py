"""Grid plans: which tensors are quantized, and which share a grid, for each kind of grid."""
