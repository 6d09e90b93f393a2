"""Fused point clouds: which views, where they come from, and the job."""
