"""Image files: PNG, JPEG, TIFF, BMP and WebP to pixels and back, with all that they say of them.

Nothing here needs torch, napari or Qt.
"""

from napari_srgan.files.metadata import Density, Metadata
from napari_srgan.files.picture import IMAGE_SUFFIXES, Header, Picture, UnreadableImage
from napari_srgan.files.reading import read_folder, read_header, read_picture, read_stack
from napari_srgan.files.writing import write_picture

__all__ = [
    "IMAGE_SUFFIXES",
    "Density",
    "Header",
    "Metadata",
    "Picture",
    "UnreadableImage",
    "read_folder",
    "read_header",
    "read_picture",
    "read_stack",
    "write_picture",
]
