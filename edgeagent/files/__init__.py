"""Files: atomic and durable writes, hashes, locks, secrets, strict YAML, names for display.

``atomic`` writes a file durably, ``hashing`` hashes and copies in chunks, ``durable`` orders changes of
folders, ``folder_lock`` admits one process per folder. ``strict_yaml`` parses a YAML subset with line
numbers, ``yaml_model`` validates it, ``validation`` reports the first validation error. ``secrets`` reads
passwords and tokens, ``naming`` redacts and prints names, ``resources`` locates packaged files, ``result``
writes the JSON result of a command, ``disk_io`` counts written bytes.
"""
