"""Store of the fleet: tables in ClickHouse, the same ones embedded (chdb) and on a server or cluster.

``messages`` and ``derived`` describe them, ``ddl`` writes their statements, ``protocol`` is what all readers
and writers use, ``embedded`` is the engine in the process, and ``opening`` chooses by the address of a store.
"""
