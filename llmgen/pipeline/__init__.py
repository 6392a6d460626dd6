"""Chaining stages: one stage from file to file (`single`), or a whole manifest (`manifest`)."""
