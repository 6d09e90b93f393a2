"""Training of networks of points: the plan, its state while it is under way, what it writes and draws."""
