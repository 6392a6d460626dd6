"""A question about a picture to pictures that answer it: by the question, by an answer in words, by an answerer's states."""
