"""What phase 1 asks of a generator in a step: its images, and the loss that they make."""

from __future__ import annotations

from torch import Tensor, nn

from napari_srgan.models.drcn import DRCN
from napari_srgan.models.generator import Generator
from napari_srgan.training.optimise.losses import ContentLoss


class Supervised(nn.Module):
    """A generator at the scale that a step trains, and the predictions that it is held to.

    Parameters
    ----------
    generator : Generator
        What is trained; shared, not copied.
    recursions : bool
        Whether each of DRCN's recursions is held to the original as well.

    Raises
    ------
    TypeError
        If recursions are asked for of a network that has none.
    """

    def __init__(self, generator: Generator, *, recursions: bool) -> None:
        super().__init__()
        if recursions and not isinstance(generator, DRCN):
            raise TypeError(f"{generator.family} has no recursions to be supervised.")
        self.generator, self._recursions = generator, recursions

    def forward(self, low: Tensor, scale: int) -> list[Tensor]:
        """Return the result for ``low``, then what else is supervised, all of one shape."""
        generator = self.generator.at_scale(scale)
        if self._recursions and isinstance(generator, DRCN):
            return generator.with_recursions(low)
        return [generator(low)]


def supervised_loss(
    images: list[Tensor], high: Tensor, content: ContentLoss, share: float
) -> Tensor:
    """Return the loss of a result and of the predictions that it is made of.

    Parameters
    ----------
    images : list of Tensor
        The result, then the predictions, if there are any.
    high : Tensor
        The original, as they are.
    content : callable
        ``content(upscaled, high)``.
    share : float
        Of the predictions' mean loss in the sum; the rest is the result's.

    References
    ----------
    Kim et al. 2016, arXiv:1511.04491v2, §3.2, eqs. 6 to 8.
    """
    result, *predictions = images
    loss = content(result, high)
    if not predictions:
        return loss
    others = sum((content(each, high) for each in predictions), start=high.new_zeros(()))
    return (1 - share) * loss + share / len(predictions) * others
