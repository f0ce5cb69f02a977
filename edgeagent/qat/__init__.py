"""Quantization factory: from a float ONNX detector and pictures to an INT8 bundle with evidence.

Packages from the bottom up; each may import those above it in this list (import-linter, ``qat layers``):

- ``core``: codes, kinds of grids, operator sets;
- ``graph``: the float ONNX graph; ``pictures``: pictures fitted into the input of a model;
- ``grid``: which tensors are quantized, and which share a grid;
- ``network``: the graph as a torch module with fake-quantization;
- ``distillation``: distance of a network from its float teacher;
- ``ptq``: post-training quantization; ``training``: quantization-aware training;
- ``mixed``: layers that stay float;
- ``lint``: rules of TensorRT and the Edge TPU; ``export``: artefacts;
- ``parity``: artefacts compared with the trained network;
- ``report``: page about a bundle;
- ``factory``: all of these as one workflow, :func:`edgeagent.qat.factory.quantize.quantize`.
"""
