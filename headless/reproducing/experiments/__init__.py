"""The experiments, each a list of rows."""
