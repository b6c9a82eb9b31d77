"""What the networks are trained on: the losses of Ledig et al., arXiv:1609.04802v5, §2.2.

Images are ``(n, channels, h, w)`` in [-1, 1], the generator's range; logits are the
discriminator's output, of which D(x) is the sigmoid. Every loss is a float32 scalar, also where
autocast gave its arguments or the feature network less precision.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.training.config import VGG_SCALE_PAPER
from napari_srgan.training.metrics.fidelity import LUMA

_NEARBY = 5  # pixels, across
_WINDOW = 8  # low-resolution pixels: one in which a pattern of sub-pixels shows
_NO_ZERO = 1e-9  # below a root: 1/100 of a level
_COLOUR = 0.2  # share of `mse_loss` in the loss of luminance
_ONE_LEVEL = (2 / 255) ** 2  # squared error of one grey level of 8 bits, on [-1, 1]

ContentLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes upscaled and high-resolution images, in this order."""


def pixel_loss(kind: str) -> ContentLoss:
    """Return the loss that compares pixels: ``"mse"``, ``"l1"``, ``"luminance"`` or ``"psnr"``.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    losses: dict[str, ContentLoss] = {
        "mse": mse_loss,
        "l1": l1_loss,
        "luminance": luminance_loss,
        "psnr": psnr_loss,
    }
    if kind not in losses:
        raise ValueError(f"The pixel loss must be one of {', '.join(losses)}; got {kind!r}.")
    return losses[kind]


def mse_loss(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return the mean squared error (eq. 4) over all images, channels and pixels.

    Eq. 4 divides by the number of pixels alone and leaves open what the square of a colour is;
    here it is the mean over the channels, so that one unit is the same for grey and for colour.
    """
    _check_alike(upscaled, high)
    return F.mse_loss(upscaled.float(), high.float())


def l1_loss(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return the mean absolute error over all images, channels and pixels (not in the paper)."""
    _check_alike(upscaled, high)
    return F.l1_loss(upscaled.float(), high.float())


def luminance_loss(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return four fifths of luminance's squared error and one of colour's (not in the paper).

    Luminance is what the protocol measures (§3.1) and what the eye sees details in. Its weights are
    BT.601's; the part of :func:`mse_loss` keeps the colours. Of grey images in three channels, and
    of all images in any other number of them, it is the mean squared error.
    """
    return _luminance_errors(upscaled, high).mean()


def psnr_loss(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return the mean over the images of the logarithm of their errors (not in the paper).

    The protocol measures a PSNR for each image, and so counts ratios of errors: a tenth less is as
    much in a smooth image as in a busy one, which has most of the squared error of a batch. For
    each image this is ln(1 + e / e₁), e being its :func:`luminance_loss` and e₁ the squared error
    of one grey level of 8 bits, below which there is little to gain.
    """
    return torch.log1p(_luminance_errors(upscaled, high) / _ONE_LEVEL).mean()


def _luminance_errors(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return for each image four fifths of luminance's squared error and one of colour's."""
    _check_alike(upscaled, high)
    difference = upscaled.float() - high.float()
    colour = difference.square().mean(dim=(1, 2, 3))
    if upscaled.shape[1] != len(LUMA):
        return colour
    weights = difference.new_tensor(LUMA).view(1, 3, 1, 1)
    luminance = (difference * weights).sum(dim=1).square().mean(dim=(1, 2))
    return torch.lerp(luminance, colour, _COLOUR)


class VGGLoss(nn.Module):
    """The squared Euclidean distance of two images' feature maps (eq. 5).

    The squared differences are summed over the feature maps and averaged over the maps' W · H
    positions and over the images. The features of the high-resolution images are computed without
    gradients, and the network is frozen. Images of one channel are shown to it as grey RGB.

    Parameters
    ----------
    features : nn.Module
        What the images are seen through, such as
        :class:`napari_srgan.models.perceptual.vgg.VGG19Features`: RGB images in [0, 1] to feature
        maps. It is put into evaluation mode and frozen.
    scale : float
        What the feature maps are multiplied by, so that the loss changes by its square. The
        default is the paper's, chosen there to bring this loss to the scale of the MSE.
    """

    def __init__(self, features: nn.Module, scale: float = VGG_SCALE_PAPER) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.scale = scale

    def forward(self, upscaled: Tensor, high: Tensor) -> Tensor:
        """Return the loss of `upscaled` against `high`, both in [-1, 1]."""
        _check_alike(upscaled, high)
        with torch.no_grad():
            wanted: Tensor = self.features(as_unit_rgb(high))
        found: Tensor = self.features(as_unit_rgb(upscaled))
        difference = (found.float() - wanted.float()) * self.scale
        return difference.square().sum(dim=1).mean()


def grid_loss(upscaled: Tensor, high: Tensor, scale: int) -> Tensor:
    """Return how far patterns of ``scale`` pixels stand out: a generator's own (not in the paper).

    A generator that ends in pixel shuffles can raise its sharpness by a fixed pattern on its sub-
    pixels, which a young discriminator takes for texture. Here the differences are averaged over
    the pixels of each sub-pixel's place, in windows of 8 × 8 low-resolution pixels: what remains
    is such a pattern. The loss is the variance of these averages over the places.
    """
    averages = F.avg_pool2d(_by_place(upscaled, high, scale), _window(upscaled, scale))
    return averages.var(dim=1, correction=0).mean()


def mesh_loss(upscaled: Tensor, high: Tensor, scale: int) -> Tensor:
    """Return how far such patterns stand out, weak ones as much as they do (not in the paper).

    LPIPS rewards a mesh on texture that cannot be known, a weak one as well, of which a square is
    next to nothing. This is the standard deviation, white being 1, where :func:`grid_loss` has the
    variance: that of windows, and that of whole images.
    """
    differences = _by_place(upscaled, high, scale) / 2
    windows = F.avg_pool2d(differences, _window(upscaled, scale))
    return _deviation(windows) + _deviation(differences.mean(dim=(2, 3), keepdim=True))


def _deviation(averages: Tensor) -> Tensor:
    """Return the standard deviation over the places, with a gradient at 0."""
    return (averages.var(dim=1, correction=0) + _NO_ZERO).sqrt().mean()


def _by_place(upscaled: Tensor, high: Tensor, scale: int) -> Tensor:
    """Return differences with a channel for each sub-pixel, ``(n·c, scale², h, w)``."""
    _check_alike(upscaled, high)
    n, channels, height, width = upscaled.shape
    places = (n, channels, height // scale, scale, width // scale, scale)
    difference = (upscaled.float() - high.float()).reshape(places).permute(0, 1, 3, 5, 2, 4)
    return difference.flatten(0, 1).flatten(1, 2)


def _window(upscaled: Tensor, scale: int) -> int:
    """Return the side of the windows in which patterns are looked for, in low-resolution pixels."""
    return min(_WINDOW, *(side // scale for side in upscaled.shape[2:]))


def total_variation(upscaled: Tensor) -> Tensor:
    """Return the total variation of images: how much neighbouring pixels differ, all of it summed.

    That of SRResNet-VGG22 (§3.4), whose weight the paper gives, 2e-8, and no definition. This is
    the one of Rudin, Osher & Fatemi (1992): the length of the differences to the neighbours to the
    right and below, summed over the pixels and the channels, averaged over the images.
    """
    image = F.pad(upscaled.float(), (0, 1, 0, 1), mode="replicate")
    across = image[..., :-1, 1:] - image[..., :-1, :-1]
    down = image[..., 1:, :-1] - image[..., :-1, :-1]
    lengths = (across.square() + down.square() + _NO_ZERO).sqrt() - _NO_ZERO**0.5
    summed: Tensor = lengths.sum(dim=(1, 2, 3))
    return summed.mean()


def overshoot_loss(upscaled: Tensor, high: Tensor) -> Tensor:
    """Return how far pixels lie outside the original's range nearby (not in the paper).

    A generator whose discriminator is young repeats strong edges beside them, as lines and dots on
    flat ground. The range is that of a channel's 5 × 5 pixels: texture may be elsewhere than in the
    original, as long as it is no stronger, and what is flat stays flat. The loss is the mean
    absolute excess.
    """
    _check_alike(upscaled, high)
    found, wanted = upscaled.float(), high.float()
    highest = F.max_pool2d(wanted, _NEARBY, stride=1, padding=_NEARBY // 2)
    lowest = -F.max_pool2d(-wanted, _NEARBY, stride=1, padding=_NEARBY // 2)
    return (F.relu(found - highest) + F.relu(lowest - found)).mean()


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Return the mean of −log D(G(x)) over the mini-batch (eq. 6).

    Eq. 6 is a sum over the training samples. The mean keeps the weight of eq. 3 from depending
    on the size of the batch: the content loss, too, is that of one image.
    """
    return F.softplus(-fake_logits.float()).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return −E[log D(HR)] − E[log(1 − D(G(LR)))], which D minimises (eq. 2, negated).

    It is 2 log 2 ≈ 1.386 for a discriminator that cannot tell at all. Give it the logits of
    detached images, so that no gradient reaches the generator.
    """
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


def _check_alike(upscaled: Tensor, high: Tensor) -> None:
    if upscaled.shape != high.shape:
        raise ValueError(
            f"Upscaled images {tuple(upscaled.shape)} and high-resolution images "
            f"{tuple(high.shape)} must have one shape; compare each with its own."
        )


def as_unit_rgb(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as RGB in [0, 1]; a single channel becomes three."""
    unit = (images.float() + 1) / 2
    return unit.expand(-1, 3, -1, -1) if images.shape[1] == 1 else unit
