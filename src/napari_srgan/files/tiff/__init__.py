"""TIFF, with what ImageJ, OME and cameras make of it; tifffile decodes the pixels."""
