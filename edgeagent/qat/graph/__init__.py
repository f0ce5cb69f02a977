"""The float ONNX graph: read, brought to one normal form, cut at its heads."""
