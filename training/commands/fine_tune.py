"""``fine-tune``: a model trained on for a while on images of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from napari_srgan.training.commands.running import (
    INTERRUPTED,
    given,
    shown,
    stop_on_ctrl_c,
    told,
)

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}  # or as short as one likes


def fine_tune(
    images: Annotated[Path, typer.Argument(help="A folder of images of one kind, at any depth.")],
    to: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    start: Annotated[str, typer.Option(help="A model's name or file.")] = "srresnet-x4",
    time: Annotated[
        str, typer.Option(help="All of it, such as '20 minutes' or 2h.")
    ] = "20 minutes",
    recipe: Annotated[
        str,
        typer.Option(
            help="How images are degraded: fine-tune, fine-tune-photo, srresnet-microscopy."
        ),
    ] = "fine-tune",
    out: Annotated[Path | None, typer.Option(help="The run's folder. [beside TO]")] = None,
    hold_back: Annotated[
        list[str] | None,
        typer.Option(help="Images to validate on, such as 'val/*'. [every fifth]"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Replace a setting of the recipe fine-tune."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    perceptual_weights: Annotated[
        Path | None, typer.Option(help="AlexNet's, to validate by LPIPS. [from the cache]")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Offer the model in napari, and by its name.")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Only draw what would be trained on, into this PNG.")
    ] = None,
) -> None:
    """Fine-tune a model on images of your own, for as long as you say.

    Low-resolution images are made from yours: cleanly; or, with --recipe fine-tune-photo, with
    blur, noise and compression; or, with srresnet-microscopy, as a lens and a camera do. Images
    NAME_HR and NAME_LR are pairs of your own. What is wrong with the images is said before it
    begins. At the end there is a model file with a self-test, its card, and a comparison with the
    start model on images held back.

    Ctrl-C finishes the step and saves; the same command goes on, with its time anew. "ask" pauses
    it, or has the model made, from elsewhere.
    """
    with told():
        from napari_srgan.training.run.fine_tune import iter_fine_tune
        from napari_srgan.training.run.preview import draw_preview, write_preview
        from napari_srgan.training.run.tuning_plan import FineTuning

        job = FineTuning(
            images=images,
            target=to,
            out=out or to.with_name(f"{to.stem}-run"),
            start=start,
            seconds=seconds_of(time),
            recipe=recipe,
            hold_back=tuple(hold_back or ()),
            changes=given(settings or []),
            device=device,
            listed=listed,
            weights=perceptual_weights,
        )
        if preview is not None:
            write_preview(preview, draw_preview(job))
            typer.echo(f"{preview} shows what would be trained on.")
            return
        with stop_on_ctrl_c() as stop:
            tuned = shown(iter_fine_tune(job, stop))
        if tuned is None:
            typer.echo(f"Stopped and saved. The same command goes on with {job.out}.", err=True)
            raise typer.Exit(INTERRUPTED)
        typer.echo(tuned.verdict())
        typer.echo(
            f"{to} and its card {to.with_suffix('.md').name} are written. Next: "
            f"napari-srgan upscale IMAGE -o RESULT --model {to}"
        )


def seconds_of(text: str) -> float:
    """Return a time in seconds, given as ``20 minutes``, ```90s``, ``1.5 h``.

    Raises
    ------
    ValueError
        If it is none, or none above 0.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", text.lower())
    for unit, seconds in _SECONDS.items():
        if match and f"{unit}s".startswith(match[2]) and float(match[1]) > 0:
            return float(match[1]) * seconds
    raise ValueError(f"--time takes a number and seconds, minutes or hours; got {text!r}.")
