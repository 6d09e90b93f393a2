"""The demo of people: a procedural world of posed, clothed bodies that knows its exact truth, and what its generator is trained on."""
