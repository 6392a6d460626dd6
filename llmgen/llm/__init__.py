"""Reading prompts and planning pictures: the language model and its deterministic stand-in."""
