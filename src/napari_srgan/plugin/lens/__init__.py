"""The lens: what a viewer shows of a layer, upscaled while one looks, and parts of it to keep."""
