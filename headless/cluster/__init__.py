"""Views made by the actors of a Ray cluster."""
