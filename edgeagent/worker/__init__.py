"""An engine in a process of its own, for delegates that crash, hang or leak.

::

    engine.py          WorkerEngine: the engine as its parent sees it; a deadline on every call
    start.py           start of the worker process, also ahead of its request
    process.py         the worker process: loads one artefact, answers calls
    lanes.py           calls that wait run side by side, each on a share of the threads
    starvation.py      whether a worker that does not answer is hung, or gets no processor
    run_state.py       what the kernel tells of its threads
    last_words.py      cause of its death, from its stderr
    protocol.py        messages between the two
    shared_buffers.py  inputs and outputs in shared memory
    sandbox.py         no network, no io_uring, no core dumps, killed with the parent

A worker that died or hung raises a typed error and stays dead; :mod:`edgeagent.detection` starts another.
"""
