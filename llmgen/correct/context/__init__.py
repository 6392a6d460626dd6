"""Segment, write context for each object, inpaint it, look again: see README.md."""
