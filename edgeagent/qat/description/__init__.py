"""Proposal of a description for a float model: decoder from its graph, preprocessing by trial."""
