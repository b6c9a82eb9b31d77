"""Upscale a stack lazily: a plane is computed when it is looked at."""

import dask.array as da
import numpy as np

import napari_srgan as ns

stack = da.from_array(np.random.default_rng(0).integers(0, 4096, (50, 30, 40)), chunks=(1, 30, 40))
upscaled = ns.upscale(stack.astype(np.uint16))
print(upscaled)
print("one plane:", upscaled[7].compute().shape)
