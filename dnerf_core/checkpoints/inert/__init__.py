"""Other people's checkpoints as inert data: the machine that reads pickles, the names it knows, and the files they lie in."""
