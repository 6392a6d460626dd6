"""Torch machinery that methods share: loading, sampling, inversion, latents, attention, guidance."""
