"""How to run: settings, progress, and driving a generator of progress to its result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

NotFinite = Literal["error", "fill"]
Result = TypeVar("Result")


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
        See :func:`napari_srgan.inference.devices.choose_devices` and ``choose_precision``.
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


def finish(steps: Generator[object, None, Result]) -> Result:
    """Do all the work of a generator, and return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
