"""What residual blocks of all families have in common."""

from __future__ import annotations

from torch import nn


class Residual(nn.Module):
    """A block that adds what it computes to its input, and keeps the input's shape.

    What it adds is small beside the image that the sum carries on: it may be computed in 16 bits,
    where the layers before the first block and after the last may not.
    """
