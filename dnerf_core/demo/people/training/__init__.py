"""How the generator of people is trained, refined, scored and exported; nothing of it is needed to use the model."""
