"""Subjects that move: which pose each view takes, the subject in it, and where its joints are."""
