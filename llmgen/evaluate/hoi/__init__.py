"""People who do something with something: is the thing where the action wants it, and did the pose stay."""
