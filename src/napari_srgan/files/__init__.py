"""Image files: PNG, JPEG, TIFF, BMP and WebP to pixels and back, bit depth and pixel size kept.

Nothing here needs torch, napari or Qt.
"""

from napari_srgan.files.picture import IMAGE_SUFFIXES, Picture, UnreadableImage
from napari_srgan.files.reading import read_folder, read_picture, read_stack
from napari_srgan.files.writing import write_picture

__all__ = [
    "IMAGE_SUFFIXES",
    "Picture",
    "UnreadableImage",
    "read_folder",
    "read_picture",
    "read_stack",
    "write_picture",
]
