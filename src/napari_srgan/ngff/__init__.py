"""OME-Zarr, versions 0.4 and 0.5: images read in part, and pyramids that appear when complete."""
