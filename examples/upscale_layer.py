"""Upscale a rotated 16-bit layer: the new layer covers the old one."""

import numpy as np
from napari.layers import Image
from skimage.data import camera

import napari_srgan as ns

pixels = camera()[200:240, 200:250].astype(np.uint16) * 16
cells = Image(pixels, name="cells", scale=(0.65, 0.65), rotate=20, units=("um", "um"))

upscaled = ns.upscale(cells)  # viewer.add_layer(upscaled) shows it
print(upscaled.name, upscaled.data.shape, upscaled.data.dtype, "pixel size", upscaled.scale)

corner, same_corner = (-0.5, -0.5), (-0.5, -0.5)  # the outer corner of the first pixel, in both
print("corner:", cells.data_to_world(corner), "=", upscaled.data_to_world(same_corner))
