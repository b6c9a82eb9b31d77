"""Measures of fidelity and perception, their tables and figures."""
