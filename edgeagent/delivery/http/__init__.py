"""HTTP of delivery: ``pool`` gives the repository and hawkBit connections through proxies, with TLS trust."""
