"""Rules of normalisation: what a person may say of black and white, read and checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Normalize: TypeAlias = str | tuple[float, float]
Rule: TypeAlias = "str | Percentiles | tuple[float, float]"


@dataclass(frozen=True)
class Percentiles:
    """Two percentiles, 0 to 100, ascending."""

    low: float
    high: float


def rule_for(dtype: np.dtype[Any], normalize: Normalize) -> Rule:
    """Return a normalisation rule in its parsed form, ``auto`` of 8 bits as ``dtype``."""
    rule = parse_normalize(normalize)
    if rule == "auto" and (dtype == np.uint8 or dtype.kind == "b"):
        return "dtype"
    return rule


def is_fixed(rule: Rule) -> bool:
    """Tell a rule that does not look at the image."""
    return rule == "dtype" or isinstance(rule, tuple)


def parse_normalize(normalize: Normalize) -> Rule:
    """Return a normalisation rule in its parsed form.

    ``"auto"``, ``"data"`` and ``"dtype"`` stay; :func:`value_range` has the rest.
    """
    if isinstance(normalize, str) and normalize in ("auto", "data", "dtype"):
        return normalize
    explain = (
        f"normalize must be 'auto', 'data', 'dtype', a pair such as (0, 4095) or percentiles "
        f"such as '0%, 99.9%'; got {normalize!r}."
    )
    try:
        parts = normalize.split(",") if isinstance(normalize, str) else list(normalize)
        texts = [part.strip() if isinstance(part, str) else part for part in parts]
        as_percent = [isinstance(text, str) and text.endswith("%") for text in texts]
        low, high = (float(t[:-1] if isinstance(t, str) and t.endswith("%") else t) for t in texts)
    except (TypeError, ValueError) as error:
        raise ValueError(explain) from error
    if as_percent[0] != as_percent[1] or not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(explain)
    if low >= high or (as_percent[0] and not 0 <= low < high <= 100):
        raise ValueError(
            "normalize needs its first value below its second, percentiles between 0% and 100%; "
            f"got {normalize!r}."
        )
    return Percentiles(low, high) if as_percent[0] else (low, high)
