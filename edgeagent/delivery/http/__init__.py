"""HTTP connections of delivery, shared by the repository's transport and the hawkBit client.

pool.py  connection pools: proxies with their credentials, trusted certificates, time limits

Nothing here knows what is fetched.
"""
