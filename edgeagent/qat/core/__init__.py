"""Constants, names and files that all parts of the quantization factory share."""
