"""What the kinds of `evaluate` do, and their call."""
