"""Train SRResNet and SRGAN as the paper does: ``python -m napari_srgan.training``."""
