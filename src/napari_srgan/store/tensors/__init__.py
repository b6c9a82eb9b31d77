"""Tensors of a file, whatever wrote it: read without running anything, and found among others."""
