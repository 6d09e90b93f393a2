"""A harder world of cars, drawn apart from the one that `demo-cars` learned from: for tests of what learned from it."""
