"""``ask``: have a training that goes on elsewhere pause, or end with a model."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_srgan.runs import ask as ask_of
from napari_srgan.runs import asked_of, read_status
from napari_srgan.training.commands.running import told


class Wish(StrEnum):
    """What can be asked."""

    PAUSE = "pause"
    FINISH = "finish"


def ask(
    run: Annotated[Path, typer.Argument(help="The folder of a run of fine-tune.")],
    wish: Annotated[Wish, typer.Argument(help="Save and end; or make the model now.")],
) -> None:
    """Have a fine-tuning that goes on pause, or finish early with a model of what it has."""
    with told():
        status = read_status(run)
        if status is None or not status.is_alive:
            raise ValueError(f"Nothing is being fine-tuned in {run}.")
        ask_of(run, replace(asked_of(run), end=wish.value))
