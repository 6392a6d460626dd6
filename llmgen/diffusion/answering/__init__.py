"""Latent-Guided Diffusion: a question about a picture becomes the condition of a picture editor."""
