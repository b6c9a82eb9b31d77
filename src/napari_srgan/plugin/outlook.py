"""Whether what is chosen can be upscaled, and what that would make and take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_srgan.inference.images import ends_in_channels
from napari_srgan.inference.values.rules import parse_normalize
from napari_srgan.plugin.messages import Choices, Failed, Source
from napari_srgan.plugin.texts import (
    deferred_text,
    in_controls_words,
    run_text,
    shape_text,
    too_large_text,
)
from napari_srgan.trust.looks import looks_of

if TYPE_CHECKING:
    from napari_srgan.plugin.job import Trial

_LOOKED_AT = 512  # pixels along a side
NO_LAYER = "Open an image, or try File → Open Sample."


@dataclass(frozen=True)
class Outlook:
    """What is known of a run before it begins.

    Attributes
    ----------
    possible : bool
        Whether it can be begun, as far as is known.
    text : str
        What it would make and take, or why it cannot be begun and what to do.
    may_change : bool
        Whether the reason may go away by itself, as a missing network or full memory does.
    """

    possible: bool
    text: str
    may_change: bool = False


def outlook_of(
    source: Source | None,
    choices: Choices,
    trial_of: Callable[[Source], Trial | Failed | None],
) -> Outlook:
    """Return what is known of a run.

    Parameters
    ----------
    source : Source, optional
        What would be upscaled, if there is anything.
    choices : Choices
        How.
    trial_of : callable
        Gives what came of trying it out, if that is known.
    """
    if source is None:
        return Outlook(False, NO_LAYER)
    try:
        parse_normalize(choices.normalize)
        layout = source.layout
    except (TypeError, ValueError) as error:
        return Outlook(False, in_controls_words(str(error)))
    trial = trial_of(source)
    if trial is None:
        return Outlook(True, f"{shape_text(layout)} pixels\nestimating …")
    if isinstance(trial, Failed):
        return Outlook(False, trial.reason, may_change=True)
    needs = trial.needs
    if choices.is_deferred(source):
        seconds = trial.seconds(source) / layout.planes
        return Outlook(True, deferred_text(layout, needs.scale, seconds))
    memory, free = needs.memory(source), needs.free_memory()
    if memory > free:
        reason = too_large_text(memory, free, planes=layout.planes > 1)
        return Outlook(False, f"{shape_text(layout)} pixels\n{reason}", may_change=True)
    seconds = trial.seconds(source)
    return Outlook(True, run_text(layout, needs.scale, memory, free, seconds))


def with_remarks(outlook: Outlook, remarks: list[str]) -> Outlook:
    """Return an outlook that says a few things more."""
    return replace(outlook, text="\n".join([outlook.text, *remarks]))


def can_look_like_a_photograph(source: Source) -> bool:
    """Return whether noise and compression are looked for: in 8 bits, and where reading is cheap.

    Cameras of microscopes have other noise; a lazy layer may take long to compute.
    """
    return source.pixels.dtype == np.uint8 and not source.is_lazy


def remarks_on_looks(source: Source) -> list[str]:
    """Return what is to be said of noise and compression, as the middle of a plane shows them."""
    layout = source.layout
    plane = source.pixels[source.plane or (0,) * len(source.whole.leading)]
    rows, columns = (
        slice(max(0, side - _LOOKED_AT) // 2, (side + _LOOKED_AT) // 2)
        for side in (layout.height, layout.width)
    )
    part = np.asarray(plane[rows, columns])
    grey = part[..., :3].mean(-1) if source.rgb else part
    return list(looks_of(grey / 255).advice())


def remark_on_axes(source: Source) -> str:
    """Return what is to be said of an image whose last axis seems to hold channels."""
    shape = tuple(source.pixels.shape)
    if source.rgb or not ends_in_channels(shape):
        return ""
    return (
        f"The last axis, {shape[-1]} long, is taken for the width. If it holds channels, split "
        "the layer along it first."
    )
