"""A generated subject in a scene that another program rendered."""
