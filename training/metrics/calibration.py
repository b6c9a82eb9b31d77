"""How true a model's uncertainty is: errors on images whose originals are known, by spread."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.inference.run import upscale_array_with_spread
from napari_srgan.inference.settings import Settings
from napari_srgan.store.checkpoint import Model
from napari_srgan.training.metrics.pairs import Pair, read_pair
from napari_srgan.trust.uncertainty import Account, Law, account_of, expected_error, fit_law

Values = NDArray[np.float32]
WHITE = 255.0  # of the 8-bit images that are measured


@dataclass(frozen=True)
class Calibration:
    """A model's law, and how true it is on some images.

    Attributes
    ----------
    law : tuple of float
        Factor and power; see :func:`napari_srgan.trust.uncertainty.expected_error`.
    images : int
        How many were measured.
    account : Account
        In levels of 255.
    """

    law: Law
    images: int
    account: Account

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON has."""
        return asdict(self)


def iter_calibrate(
    model: Model, data_sets: Mapping[str, Sequence[Pair]], *, border: int, law: Law | None = None
) -> Generator[tuple[int, int], None, Calibration]:
    """Measure a model's errors by its spread: yield images done and to do, return what was found.

    Parameters
    ----------
    model : Model
        What is measured, in float32.
    data_sets : mapping of str to sequence of Pair
        As `find_data_sets` returns them.
    border : int
        High-resolution pixels left out at each side.
    law : tuple of float, optional
        What is held to account. Default: the law that fits these images best.

    Raises
    ------
    OSError, ValueError
        If an image cannot be read, or gives nothing to fit.
    """
    pairs = [pair for each in data_sets.values() for pair in each]
    spreads, errors = [], []
    for done, pair in enumerate(pairs, 1):
        low, high = read_pair(pair, scale=model.scale)
        upscaled, spread = upscale_array_with_spread(
            low, model, settings=Settings(precision="float32")
        )
        difference = (upscaled.astype(np.float32) - high) ** 2
        error = np.sqrt(difference.mean(-1) if high.ndim == 3 else difference)
        inside = (slice(border, -border or None),) * 2
        spreads.append(spread[inside].ravel())
        errors.append(error[inside].ravel())
        yield done, len(pairs)
    if law is None:
        law = fit_law(np.concatenate(spreads) / WHITE, np.concatenate(errors) / WHITE)
    expected = [expected_error(spread, law, WHITE) for spread in spreads]
    return Calibration(law, len(pairs), account_of(expected, errors))


def as_lines(found: Calibration) -> str:
    """Return what was found as a person reads it."""
    account = found.account
    lines = [
        f"error to expect = {found.law[0]:.3g} · spread ^ {found.law[1]:.3g}  (parts of the range)",
        f"images            {found.images}",
        f"rank correlation  {account.rank:.2f}",
        f"found / expected  {account.ratio:.2f}",
        f"sparsification    {account.sparsification:.2f}",
        "",
        "expected   found  (levels of 255)",
        *(f"{expected:8.2f}  {error:6.2f}" for expected, error in account.curve),
    ]
    return "\n".join(lines)
