"""Float ONNX graph: reading, normal form, folding, and the cut at its heads."""
