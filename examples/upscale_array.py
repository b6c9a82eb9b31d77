"""Upscale an array, and see what the tiles cost and do not change."""

import numpy as np
from skimage.data import astronaut

import napari_srgan as ns

low = astronaut()[100:160, 180:250]  # (60, 70, 3), uint8

upscaled = ns.upscale(low)
print(low.shape, "→", upscaled.shape, upscaled.dtype)

tiled = ns.upscale(low, tile=16)
print("largest difference with tiles of 16 pixels:", np.abs(tiled.astype(int) - upscaled).max())

for progress in ns.iter_upscale(low, tile=16):
    print(f"{progress.done} of {progress.total} pixels on {progress.device}")
