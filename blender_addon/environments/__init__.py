"""Python environments with the engine, which Create Environment makes: whole or not at all, the earlier one whole until then."""
