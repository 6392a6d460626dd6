"""Boxes, masks, image files: numpy and PIL only."""
