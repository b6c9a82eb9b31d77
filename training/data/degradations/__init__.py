"""Degradations: what cameras, scanners and codecs do to an image, as small steps to compose."""
