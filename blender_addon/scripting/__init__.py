"""What scripts may give operators: typed options by the names of the calls', and what is left out as the panel says it."""
