"""The command line `dnerf-headless`: one module a command, one writer a format."""
