"""Training: augmented pictures, supervised losses, the training loop, checkpoints and processes."""
