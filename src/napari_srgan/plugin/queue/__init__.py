"""Several layers, or the files of a folder, upscaled one after the other."""
