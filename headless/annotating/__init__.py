"""Training on painted masks: what a call means, its state on disk, and the model that comes out."""
