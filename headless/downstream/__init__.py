"""Networks that learn from data sets: plans, runs that go on after a kill, curves and grids."""
