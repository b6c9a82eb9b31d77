"""Images of any size upscaled into OME-Zarr, window by window: here or on a cluster, resumable."""
