"""What is asked of a language model: a file for each question."""
