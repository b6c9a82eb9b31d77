"""``python -m napari_srgan.training``."""

from napari_srgan.training.cli import main

if __name__ == "__main__":
    main()
