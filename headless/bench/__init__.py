"""Measured claims: the fast path against the literal method, on the machine that asks."""
