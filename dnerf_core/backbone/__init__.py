"""The seam between a family of generators and all that is built on one: protocols, and the registry of families."""
