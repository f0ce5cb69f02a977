"""Distillation: the distance of a quantized network from its float teacher."""
