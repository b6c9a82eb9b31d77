"""Weights that ship with napari-srgan, and the registry that describes every one."""
