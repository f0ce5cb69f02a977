"""Inference engines behind one protocol, and the catalogue of delegates.

Start with ``engine``, the protocol. ``delegates`` is the catalogue of delegates as data, ``delegate_table``
its form in the documentation, ``availability`` checks the requirements of a delegate on this board.
``loading`` loads an artefact, ``tensor_check`` compares its tensors with the manifest, ``input_grid`` reads
the grid of an integer input, ``cache`` keeps compiled engines. ``onnxruntime_engine``, ``tflite_engine``,
``openvino_engine`` and ``hailo_engine`` are the implementations.
"""
