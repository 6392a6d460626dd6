"""InstanceDiffusion: layouts with boxes, points, scribbles and masks to pictures."""

from llmgen.generate.instancediffusion.method import InstanceGenerate

__all__ = ["InstanceGenerate"]
