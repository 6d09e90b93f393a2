"""Other people's generators: which network of a checkpoint is one, of which family, and what its settings are. No torch."""
