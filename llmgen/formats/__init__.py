"""Files of other programs, turned into records at the edge: SLD's tasks, LMD's caches and prompts, InstanceDiffusion's inputs."""
