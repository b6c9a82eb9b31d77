"""How a run goes about its work, and how far it has come. Nothing heavy is imported for these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NotFinite = Literal["error", "fill"]


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    done, total : int
        Input pixels, over all planes; what several devices compute twice counts twice.
    device : str
        Where the last band or tile was computed.
    note : str
        What the user should know: that memory ran out and what was done about it, or that the
        device computes something else than it should. Mostly empty.
    """

    done: int
    total: int
    device: str
    note: str = ""


@dataclass(frozen=True)
class Settings:
    """How a run goes about its work; none of it changes the result beyond rounding.

    Attributes
    ----------
    device, precision : str
        See :func:`napari_srgan.devices.choose_devices` and ``choose_precision``.
    tile : int or str
        Edge of a tile in input pixels, or ``auto``.
    nan : {"error", "fill"}
        What is done about values that are not finite.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: int | str = "auto"
    nan: NotFinite = "error"

    def __post_init__(self) -> None:
        if self.nan not in ("error", "fill"):
            raise ValueError(f"nan must be 'error' or 'fill'; got {self.nan!r}.")
