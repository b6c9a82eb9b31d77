"""Settings of a run, its progress, driving it to its result, and that result's provenance."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from napari_srgan import __version__
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.store.generative import either

if TYPE_CHECKING:
    from napari_srgan.store.checkpoint import Model

NotFinite = Literal["error", "fill"]
Quality = Literal["standard", "ensemble"]
Result = TypeVar("Result")
Step = TypeVar("Step")
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    done, total : int
        Input pixels, over all planes. Where work is done again, it waits.
    device : str
        Where the last band or tile was computed.
    precision : str
        In which floating type: ``float32``, ``float16`` or ``bfloat16``.
    note : str
        What the user should know: that memory ran out and what was done about it, or that the
        device computes something else than it should. Mostly empty.
    kept : int
        Input pixels, of those that are done, that an earlier run has done.
    """

    done: int
    total: int
    device: str
    precision: str
    note: str = ""
    kept: int = 0


@dataclass(frozen=True)
class Settings:
    """How a run goes about its work.

    Device, precision and tile change the result by rounding at most.

    Attributes
    ----------
    device, precision : str
        See :func:`napari_srgan.inference.devices.choose_devices` and ``choose_precision``.
    tile : int or str
        Edge of a tile in input pixels, or ``auto``.
    nan : {"error", "fill"}
        What is done about values that are not finite.
    quality : {"standard", "ensemble"}
        One answer of the network, or the mean of those to the eight flips and turns of the image.
    consistent : bool
        Whether the result is held to the image: reduced, it equals it.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: int | str = "auto"
    nan: NotFinite = "error"
    quality: Quality = "standard"
    consistent: bool = False

    def __post_init__(self) -> None:
        if self.quality not in ("standard", "ensemble"):
            raise ValueError(f"quality must be 'standard' or 'ensemble'; got {self.quality!r}.")
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


def iter_mapped(
    steps: Generator[Step, None, Result], of: Callable[[Step], Shown]
) -> Generator[Shown, None, Result]:
    """Pass on what a function makes of each step of a generator, and return what it returns.

    Closing this closes the generator.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            yield of(step)


def provenance(
    model: Model,
    normalize: Normalize,
    settings: Settings,
    *,
    device: str,
    precision: str,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what identifies a result: everything that another one would need to be the same.

    Parameters
    ----------
    model : Model
        What made it.
    normalize : str or tuple of float
        The rule for black and white, as it was asked for.
    settings : Settings
        As they were asked for.
    device, precision : str
        Where and in which floating type it was computed in the end.
    notes : sequence of str
        What the user was told on the way.

    Returns
    -------
    dict
        Of values that JSON has.
    """
    import torch  # it takes a second, and who sets things up need not wait for it

    return {
        "model": str(model.name),
        "family": model.network.family,
        "scale": model.scale,
        "generative": model.generative,
        "weights_sha256": model.sha256,
        "device": device,
        "precision": precision,
        "normalize": list(normalize) if isinstance(normalize, tuple) else normalize,
        "nan": settings.nan,
        "quality": settings.quality,
        "consistent": settings.consistent,
        "notes": list(notes),
        "version": __version__,
        "torch": str(torch.__version__),
    }


def chained(record: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the record of a step, with that of what it was made from as its ``input``.

    What was drawn by one network of the chain stays drawn, and what is not known stays unknown.
    """
    made = dict(record)
    if not earlier:
        return made
    drawn = either(made.get("generative"), earlier.get("generative"))
    return made | {"generative": drawn, "input": dict(earlier)}


def iter_recorded(
    steps: Generator[Progress, None, Any], model: Model, normalize: Normalize, settings: Settings
) -> Generator[Progress, None, tuple[Any, dict[str, Any]]]:
    """Pass on a run's progress, and return its result together with its provenance.

    Closing the generator closes the run.
    """
    device = precision = ""
    notes: list[str] = []

    def recorded(progress: Progress) -> Progress:
        nonlocal device, precision
        device, precision = progress.device, progress.precision
        if progress.note:
            notes.append(progress.note)
        return progress

    result = yield from iter_mapped(steps, recorded)
    made = provenance(model, normalize, settings, device=device, precision=precision, notes=notes)
    return result, made
