"""HTTP connections of delivery, shared by the repository's transport and the hawkBit client.

pool.py  connection pools: proxies and their credentials, trusted certificates, time limit of the response head

Nothing here knows what is fetched.
"""
