"""llmgen: text-to-image generation with a language model in the loop."""

__version__ = "0.1.0"
