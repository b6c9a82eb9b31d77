"""Layers and conventions that several families share."""
