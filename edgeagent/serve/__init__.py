"""Detector for other programs: Frigate's ZMQ protocol and KServe v2 over HTTP, on one served bundle.

::

    Frigate --ZMQ--> zmq_server.py ---+
                                      +--> inference_queue.py --> raw_detector.py --> engine in a worker
    any client --HTTP--> kserve_app.py +     (bounded, one at a time)  (what serves now)

errors.py           requests that are refused, and those that nobody can answer now
endpoints.py        addresses to listen on; beyond this machine only where it is asked for
picture_check.py    is the tensor of a request the input of the bundle?
raw_detector.py     detections of a raw input tensor
inference_queue.py  waiting requests, and whose turn it is
request_counts.py   what became of the requests of a protocol
frigate_messages.py messages of Frigate's detector protocol
frigate_config.py   label map and configuration lines for Frigate
zmq_server.py       socket of Frigate's protocol
kserve_messages.py  requests and answers of KServe v2, JSON and binary tensors
kserve_app.py       its routes
http_server.py      uvicorn in a thread
detector_server.py  all of it, started and stopped together
"""
