"""The paper's experiments: steps that are runs of the commands, made once and kept, and the report of their scores."""
