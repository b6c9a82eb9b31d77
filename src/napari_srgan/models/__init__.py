"""The networks, one family a module: plain ``torch.nn`` and nothing else."""
