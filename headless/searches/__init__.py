"""Searches for a subject: what invert and edit are asked for, what they write, and what they show on the way."""
