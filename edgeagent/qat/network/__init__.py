"""The graph as a torch module, with fake-quantization on its tensors."""
