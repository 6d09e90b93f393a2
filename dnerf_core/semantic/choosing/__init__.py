"""Which views are to be painted next: disagreement of an ensemble of small branches, and coverage of latents and directions."""
