"""Reading English: words, phrases, prompts and instructions."""
