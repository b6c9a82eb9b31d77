"""What is seen of a run: validation, monitor, logs, curves."""
