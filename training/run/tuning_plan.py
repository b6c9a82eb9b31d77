"""The run that fits into the time that a model is to be fine-tuned in."""

from __future__ import annotations

import glob
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from napari_srgan.inference.devices import choose_device
from napari_srgan.models.generator import Generator as Upscaler
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.load import file_of
from napari_srgan.training.config import Recipe, load_recipe
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.data.sources import Source, find_sources
from napari_srgan.training.metrics.learned import find_distances
from napari_srgan.training.optimise.distributed import own_team
from napari_srgan.training.optimise.losses import pixel_loss
from napari_srgan.training.run.experiment import Plan
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.loop import Pace
from napari_srgan.training.run.trainers import PretrainTrainer

RECIPE = "fine-tune"
LPIPS = "lpips_alex"  # validated by where AlexNet's weights are

_HELD_EVERY = 5  # a fifth of the images is validated on
_SPENT = 0.85  # of the time, on steps
_VALIDATING = 0.1  # of the time, at most
_MOST_VALIDATIONS = 12
_LEAST_STEPS = 20
_REPORT_SECONDS, _SAVE_SECONDS = 5, 40  # a minute at most is lost, whatever happens
_TIMED = 2  # updates


@dataclass(frozen=True)
class FineTuning:
    """What to fine-tune, on what, for how long.

    Attributes
    ----------
    images : Path
        A folder of high-resolution images, at any depth, or of pairs ``*_HR`` and ``*_LR``.
    target : Path
        The model file to write; its card goes beside it.
    out : Path
        The run's folder. A run in it is resumed.
    start : str
        The model to begin with: a name, or a file.
    seconds : float
        How long it may take, all in all.
    recipe : str
        What says how low-resolution images are made, and of how many channels.
    hold_back : tuple of str
        Patterns of images to validate on; without any, every fifth is.
    changes : mapping
        Settings of the recipe to replace.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    listed : bool
        Whether the model becomes one of those that can be chosen by name.
    weights : Path, optional
        Where AlexNet's weights are, if not in the cache.
    """

    images: Path
    target: Path
    out: Path
    start: str
    seconds: float
    recipe: str = RECIPE
    hold_back: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    listed: bool = False
    weights: Path | None = None


def plan_of(job: FineTuning) -> Plan:
    """Return the run of a job, whose steps are not known yet.

    Raises
    ------
    OSError
        If images or the start model cannot be read.
    ValueError
        If the start model draws texture, or the images do not suit.
    """
    start = file_of(job.start)
    model = load_checkpoint(start)
    if model.generative:
        raise ValueError(
            f"{job.start} draws texture, which fine-tuning by pixels takes away. Start from a "
            "faithful model, such as srresnet-x4."
        )
    recipe = recipe_of(job, model.network)
    sources = find_sources(job.images, scale=recipe.network.scale).training
    _refuse_unused(sources, recipe)
    return Plan(
        recipe=recipe,
        data=job.images,
        out=job.out,
        cache=job.out / "images",
        device=job.device,
        hold_back=job.hold_back or every_fifth(sources),
        start_from=start,
        distances=find_distances(job.weights, [LPIPS]),
    )


def recipe_of(job: FineTuning, network: Upscaler) -> Recipe:
    """Return a job's recipe for a start model: its sizes, but for one channel if that is asked."""
    sizes = network.sizes()
    if load_recipe(job.recipe, job.changes).network.channels == 1:
        sizes["channels"] = 1
    own = {f"network.{name}": value for name, value in sizes.items()}
    return load_recipe(job.recipe, {"network.family": network.family, **own, **job.changes})


def every_fifth(sources: tuple[Source, ...]) -> tuple[str, ...]:
    """Return patterns of every fifth image, at least one, by name.

    Raises
    ------
    ValueError
        If there is only one.
    """
    names = [source.name for source in sources]
    if len(names) < 2:
        raise ValueError(f"{names[0]} is the only image; one more is needed to validate on.")
    return tuple(glob.escape(name) for name in names[_HELD_EVERY // 2 :: _HELD_EVERY] or names[:1])


def _refuse_unused(sources: tuple[Source, ...], recipe: Recipe) -> None:
    """Refuse low-resolution images that would not be looked at, since others are made."""
    pairs = sum(source.low is not None for source in sources)
    if pairs and reduction_of(recipe).is_drawn:
        raise ValueError(
            f"{pairs} images have low-resolution partners, and data.degradation="
            f"{recipe.data.degradation} would make others. Leave it at bicubic, or take the "
            "partners away."
        )


def timed(plan: Plan, images: int, seconds: float, validation: float) -> Plan:
    """Return a plan with as many steps as fit into a time; those of a run that has begun stay.

    Parameters
    ----------
    plan : Plan
        Of :func:`plan_of`.
    images : int
        How many it trains on: a batch has no more crops than there are images.
    seconds : float
        What is left of the time.
    validation : float
        Seconds that each validation takes.
    """
    run = RunFolder(plan.out)
    recipe = _with(plan.recipe, **run_settings(run, plan.recipe, images))
    step = seconds_per_step(recipe, choose_device(plan.device))
    count = int(_VALIDATING * seconds / max(validation, 1e-3))
    count = min(max(count, 1), _MOST_VALIDATIONS)
    left = seconds - count * validation
    if not run.has_begun():
        recipe = _with(recipe, steps=max(_LEAST_STEPS, int(_SPENT * left / step)))
    return replace(
        plan,
        recipe=recipe,
        pace=Pace(
            report=_every(_REPORT_SECONDS, step),
            save=_every(_SAVE_SECONDS, step),
            validate=-(-recipe.pretrain.steps // count),
            save_seconds=_SAVE_SECONDS,
        ),
    )


def run_settings(run: RunFolder, recipe: Recipe, images: int) -> dict[str, int]:
    """Return a run's steps and batch: those that it was begun with, if it was."""
    if run.has_begun():
        begun = run.recipe()
        return {"steps": begun.pretrain.steps, "batch": begun.data.batch}
    return {"batch": min(recipe.data.batch, images)}


def _with(recipe: Recipe, steps: int | None = None, batch: int | None = None) -> Recipe:
    pretrain = recipe.pretrain if steps is None else replace(recipe.pretrain, steps=steps)
    data = recipe.data if batch is None else replace(recipe.data, batch=batch)
    return replace(recipe, pretrain=pretrain, data=data)


def seconds_per_step(recipe: Recipe, device: torch.device) -> float:
    """Return how long an update of a recipe's network takes here."""
    trainer = PretrainTrainer(recipe, pixel_loss(recipe.pretrain.content_loss), device, own_team())
    crop, scale = recipe.data.crop, recipe.network.scale
    shape = (recipe.data.batch, recipe.network.channels)
    low = torch.rand(*shape, crop // scale, crop // scale, device=device)
    high = torch.rand(*shape, crop, crop, device=device)
    trainer.update(low, high)  # the first takes longer
    began = time.perf_counter()
    for _ in range(_TIMED):
        float(trainer.update(low, high)["content"])  # waits for the device
    return (time.perf_counter() - began) / _TIMED


def _every(wanted: float, seconds: float) -> int:
    return max(1, round(wanted / seconds))
