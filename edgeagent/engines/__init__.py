"""Inference engines behind one protocol, and the catalogue of delegates as data.

::

    engine.py              Engine protocol: arrays in, arrays out; the caller owns the buffers
    onnxruntime_engine.py  \\
    openvino_engine.py      | one file an engine
    tflite_engine.py        |
    hailo_engine.py        /
    delegates.py           catalogue: what each delegate reads and needs, and how it fails
    availability.py        packages, libraries, device nodes and permissions of this board
    loading.py             artefact -> loaded engine
    cache.py               what delegates compile, kept for the next start
    input_grid.py          scale and zero point of an ONNX input
    tensor_check.py        tensors of a loaded artefact compared with the manifest
    delegate_table.py      the catalogue as the table of docs/delegates.md

An engine runs in the calling process; :mod:`edgeagent.worker` puts it into a process of its own.
"""
