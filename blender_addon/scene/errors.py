"""What the scene code raises."""

from __future__ import annotations

from dnerf_core.errors import UsageError


class SceneError(UsageError):
    """Something in the .blend file cannot be used as it is; the message is one line for the user."""
