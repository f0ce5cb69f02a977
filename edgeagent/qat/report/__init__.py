"""One page about a bundle, and the same as JSON."""
