"""Training of LGD in two stages: the adapter of the answerer, then the editor's U-Net with the bridge, on cached states.

The original detaches the answerer's states before the editor, so its one training is two that do not touch each other; apart, the
second needs no language model in memory.
"""
