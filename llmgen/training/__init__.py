"""How models are trained: the loop, its checkpoints, and how weights are written; whatever is trained."""
