"""Generators of other projects: recognised by the names of their tensors, which become ours."""
