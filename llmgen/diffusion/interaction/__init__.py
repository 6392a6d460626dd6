"""ReCorD: two prompts drawn from one noise, the pose of the first borrowed by the second, its object pulled into a box."""
