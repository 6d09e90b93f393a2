"""The commands of `dnerf-headless`: each module holds one click command named `command` and imports torch only when it runs."""
