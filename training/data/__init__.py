"""Training images: sources, packs, crops and their low-resolution versions."""
