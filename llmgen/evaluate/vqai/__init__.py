"""`evaluate vqai`: how near the pictures that answer a question come to the one that does."""
