"""The widget that results are rated blind in."""
