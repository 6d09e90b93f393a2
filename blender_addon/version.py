"""The extension's version."""

ADDON_VERSION = "0.1.0"
WEBSITE = "https://arxiv.org/abs/2311.12063"
"""The method's paper; the manifest names it, too."""
