"""Find, verify, download and load model files."""
