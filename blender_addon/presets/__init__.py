"""Presets of the panel's settings: some that come with the extension, and the user's own, as JSON files that hold values alone."""
