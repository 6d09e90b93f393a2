"""StyleGAN2's parts, which families of generators share: their configuration, shapes and ranges as data, and the torch modules."""
