"""Networks with some layers in float: which layers cost most, and which to leave out."""
