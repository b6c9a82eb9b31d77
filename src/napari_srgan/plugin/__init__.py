"""What napari shows: widget, commands, reader, sample data and layers."""
