"""The command ``answers``: what a network answers, as images to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_srgan.training.commands.running import told, with_bar
from napari_srgan.training.config import load_recipe


def answers(
    model: Annotated[str, typer.Argument(help="The teacher: a name or a file.")],
    images: Annotated[Path, typer.Argument(help="A folder of images, at any depth; or DIV2K.")],
    out: Annotated[Path, typer.Argument(help="The folder to write, which train takes.")],
    patches: Annotated[int, typer.Option(help="Of each image; 0: whole images.", min=0)] = 0,
    side: Annotated[int, typer.Option(help="Of a patch, low-resolution pixels.", min=8)] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    recipe: Annotated[
        str | None, typer.Option(help="Degrade images as it does; left out: bicubic alone.")
    ] = None,
    precision: Annotated[str, typer.Option(help="As for napari-srgan upscale.")] = "float32",
) -> None:
    """Write a model's answers for images made small, in place of originals to learn from.

    The same command goes on where it was stopped.
    """
    with told():
        from napari_srgan.inference.settings import Settings
        from napari_srgan.store.load import load_model
        from napari_srgan.training.data.answers import iter_answers
        from napari_srgan.training.data.degradations.reduce import reduction_of

        settings = Settings(device=device, precision=precision)
        teacher = load_model(model)
        steps = iter_answers(
            teacher,
            images,
            out,
            patches=patches,
            side=side,
            settings=settings,
            reduction=None if recipe is None else reduction_of(load_recipe(recipe, {})),
        )
        for image in with_bar(steps):
            typer.echo(f"Left out: {image.name}: {image.reason}", err=True)
