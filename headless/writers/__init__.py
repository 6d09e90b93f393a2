"""What writes results to disk: one module a format, every file whole or not there at all."""
