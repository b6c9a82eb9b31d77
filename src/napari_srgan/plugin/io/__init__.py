"""What napari opens and saves with this plugin: models, images, TIFF files, sample data."""
