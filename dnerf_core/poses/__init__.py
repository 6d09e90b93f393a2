"""Poses: files of them, moved from one skeleton to another by what its joints are called, and a few motions of our own (numpy only)."""
