"""From a meaning to boxes and edits: placement, corrections, commands carried out."""
