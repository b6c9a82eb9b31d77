"""A training run: experiment, loop, trainers, checkpoints, export."""
