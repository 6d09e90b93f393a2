"""The worker: one process that keeps models and subjects ready and does what its client asks, by lines of JSON."""
