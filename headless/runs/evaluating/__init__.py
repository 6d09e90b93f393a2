"""The ways of `evaluate` that have a module each: a truth, views against each other, and masks that other programs predicted."""
