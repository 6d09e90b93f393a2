"""Meshes of subjects: what a call makes, and the job."""
