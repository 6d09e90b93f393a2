"""Operators: each maps properties, calls the scene code or the session, and reports. CLASSES a module."""
