"""Commands of the training command line, and what they share."""
