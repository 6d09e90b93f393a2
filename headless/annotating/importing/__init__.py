"""Annotations that other programs wrote, read into masks: one module a tool, a registry, and what they share.

A tool's reader gives pictures (`drawn.DrawnPicture`), each with labelled areas in the order in which they are painted, the last on
top. `painting` makes masks of them.
"""
