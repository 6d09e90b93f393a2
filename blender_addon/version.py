"""The extension's version."""

ADDON_VERSION = "0.1.0"
