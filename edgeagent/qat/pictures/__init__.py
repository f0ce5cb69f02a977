"""Pictures: search in folders, and fitting into the input of a model."""
