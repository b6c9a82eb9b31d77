"""``degrade``: write pairs of images as a recipe would train on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_srgan.training.commands.running import given, told, with_bar
from napari_srgan.training.config import load_recipe


def degrade(
    images: Annotated[Path, typer.Argument(help="A folder of images, at any depth.")],
    out: Annotated[Path, typer.Argument(help="Where *_HR.png and *_LR.png go.")],
    recipe: Annotated[
        str, typer.Option(help="A name (see: recipes) or a TOML file.")
    ] = "srresnet-photo",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace one of the recipe's settings."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one degrades otherwise.", min=0)] = 0,
    only: Annotated[
        list[str] | None, typer.Option(help="Images to take, such as 'val/*'; may be repeated.")
    ] = None,
) -> None:
    """Write pairs of images as a recipe degrades them, to look at or to measure on.

    The command "settings" lists what --set can replace, below degradation. What was done to each
    image stands in degradations.csv. The same seed makes the same pairs; "evaluate --data OUT"
    measures on them.
    """
    with told():
        from napari_srgan.training.data.degradations.reduce import reduction_of
        from napari_srgan.training.data.write_pairs import iter_write_pairs

        chosen = load_recipe(recipe, given(settings or []))
        written = with_bar(
            iter_write_pairs(
                images,
                out,
                reduction_of(chosen),
                channels=chosen.network.channels,
                normalize=chosen.data.normalize,
                seed=seed,
                only=only or (),
            )
        )
        typer.echo(f"{len(written.degradations)} pairs are in {out}.")
    for left in written.left_out:
        typer.echo(f"Left out: {left.name}: {left.reason}", err=True)
    if written.left_out:
        raise typer.Exit(1)
