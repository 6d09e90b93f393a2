"""Fixtures shared with the engine's tests."""

from tests.core.conftest import one_thread

__all__ = ["one_thread"]
