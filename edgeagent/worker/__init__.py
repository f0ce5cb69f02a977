"""Worker: an engine in its own process, so that a crash or hang of a delegate never stops the agent.

Start with ``engine``, the agent's side: an engine object whose calls run in the worker with a deadline.
``process`` is the worker's main function, ``protocol`` the messages between both over a socket,
``shared_buffers`` the shared memory of inputs and outputs, ``sandbox`` the privileges that a worker drops
before it loads a delegate.
"""
