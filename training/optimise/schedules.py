"""Learning-rate schedules: the rate of an update as a pure function of its step.

References
----------
Ledig et al., arXiv:1609.04802v5, §3.2: a constant rate in phase 1; 10⁵ updates at 1e-4, then 10⁵ at
1e-5, in phase 2. Warm-up and cosine decay are not the paper's.
Lim et al., arXiv:1707.02921v1, §4.2: a rate that is halved at every 2 × 10⁵ updates.
"""

from __future__ import annotations

import math

DROP = 0.1  # §3.2: from 1e-4 to 1e-5


def warmed_up(step: int, *, peak: float, steps: int, warmup: int, cosine: bool) -> float:
    """Return a rate that rises linearly to its peak, then stays there or falls to 0 by a cosine.

    Parameters
    ----------
    step : int
        Of the update, from 0.
    peak : float
        The rate after the warm-up.
    steps : int
        Updates in all, more than ``warmup``; the first one beyond has the rate 0 under a cosine.
    warmup : int
        Updates of the rise: the first has ``peak / warmup``, the last one the peak. 0 for none.
    cosine : bool
        Whether the rate falls afterwards.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if not cosine:
        return peak
    progress = (step - warmup) / (steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def dropped(step: int, *, peak: float, drop_at: int) -> float:
    """Return ``peak`` for the updates before ``drop_at``, and a tenth of it from there on."""
    return peak * (1.0 if step < drop_at else DROP)


def halved(step: int, *, peak: float, every: int) -> float:
    """Return ``peak``, halved after each ``every`` updates: the first ``every`` have the peak."""
    return peak * 0.5 ** (step // every)


def faded(step: int, *, first: float, steps: int) -> float:
    """Return a share that falls linearly from ``first`` at the first update to 0 after the last."""
    return first * max(0.0, 1 - step / steps)
