"""Fine-tune a model on images of one kind within a time: plan, run, comparison, model and card."""

from __future__ import annotations

import glob
import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import torch

from napari_srgan.files.atomic import written_whole
from napari_srgan.inference.devices import choose_device
from napari_srgan.models.generator import Generator as Upscaler
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.load import file_of
from napari_srgan.training.config import Recipe, load_recipe
from napari_srgan.training.data.packing import PackingProgress
from napari_srgan.training.data.sources import find_sources
from napari_srgan.training.optimise.distributed import own_team
from napari_srgan.training.optimise.losses import pixel_loss
from napari_srgan.training.run.experiment import Note, PhaseReport, Plan, iter_run, validated_on
from napari_srgan.training.run.export import check_target, export_generator
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.loop import Pace
from napari_srgan.training.run.trainers import PretrainTrainer
from napari_srgan.training.watch.validation import measure

RECIPE = "fine-tune"
_HELD_EVERY = 5  # a fifth of the images is validated on
_SPENT = 0.85  # of the time, on steps: images are decoded, and results validated, in the rest
_LEAST_STEPS = 20
_REPORT_SECONDS, _SAVE_SECONDS = 5, 45
_VALIDATIONS = 3
_TIMED = 2  # updates


@dataclass(frozen=True)
class FineTuning:
    """What to fine-tune, on what, for how long.

    Attributes
    ----------
    images : Path
        A folder of high-resolution images, at any depth.
    target : Path
        The model file to write; its card goes beside it.
    out : Path
        The run's folder. A run in it is resumed.
    start : str
        The model to begin with: a name, or a file.
    seconds : float
        How long it may take, all in all.
    hold_back : tuple of str
        Patterns of images to validate on; without any, every fifth is.
    changes : mapping
        Settings of the recipe ``fine-tune`` to replace.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    """

    images: Path
    target: Path
    out: Path
    start: str
    seconds: float
    hold_back: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes
    ----------
    entry : dict
        As for the registry.
    before, after : dict of str to float
        What the start model and the new one measure on the images held back.
    images : int
        How many these are.
    """

    entry: dict[str, Any]
    before: dict[str, float]
    after: dict[str, float]
    images: int

    @property
    def gain(self) -> float:
        """PSNR won on the images held back, in dB."""
        return self.after["psnr"] - self.before["psnr"]


def iter_fine_tune(
    job: FineTuning, stop: Event
) -> Generator[PackingProgress | Note | PhaseReport, None, Tuned | None]:
    """Fine-tune a model: yield how it goes, return what came of it; None once ``stop`` is set.

    A checkpoint is written at least every minute, and the same job goes on from it, with its time
    anew.

    Raises
    ------
    OSError
        If images, the model or the run cannot be read or written.
    ValueError
        If the start model draws texture, or the images do not suit.
    FloatingPointError
        If training diverges.
    """
    until = time.monotonic() + job.seconds
    check_target(job.target)
    plan = plan_of(job)
    out_of_time = Event()
    for event in iter_run(plan, out_of_time):
        yield event
        if stop.is_set() or time.monotonic() > until:
            out_of_time.set()
    return None if stop.is_set() else _finish(job, plan)


def plan_of(job: FineTuning) -> Plan:
    """Return the run that fits into the time of a job."""
    start = file_of(job.start)
    model = load_checkpoint(start)
    if model.generative:
        raise ValueError(
            f"{job.start} draws texture, which fine-tuning by pixels takes away. Start from a "
            "faithful model, such as srresnet-x4."
        )
    held = job.hold_back or every_fifth(job.images, model.network.scale)
    recipe = _recipe(job, model.network)
    seconds = seconds_per_step(recipe, model.network, choose_device(job.device))
    before = RunFolder(job.out)
    steps = (
        before.recipe().pretrain.steps
        if before.has_begun()
        else max(_LEAST_STEPS, int(_SPENT * job.seconds / seconds))
    )
    return Plan(
        recipe=_recipe(job, model.network, {"pretrain.steps": steps}),
        data=job.images,
        out=job.out,
        cache=job.out / "images",
        device=job.device,
        hold_back=held,
        start_from=start,
        pace=Pace(
            report=_every(_REPORT_SECONDS, seconds),
            save=_every(_SAVE_SECONDS, seconds),
            validate=-(-steps // _VALIDATIONS),
        ),
    )


def every_fifth(images: Path, scale: int) -> tuple[str, ...]:
    """Return patterns of every fifth image, at least one, by name.

    Raises
    ------
    OSError
        If there are no images.
    ValueError
        If there is only one.
    """
    names = [source.name for source in find_sources(images, scale=scale).training]
    if len(names) < 2:
        raise ValueError(f"{images} has one image; one more is needed to validate on.")
    return tuple(glob.escape(name) for name in names[_HELD_EVERY // 2 :: _HELD_EVERY] or names[:1])


def _recipe(job: FineTuning, network: Upscaler, further: Mapping[str, Any] | None = None) -> Recipe:
    sizes = {f"network.{name}": value for name, value in network.sizes().items()}
    chosen = {"network.family": network.family, **sizes, **job.changes}
    return load_recipe(RECIPE, chosen | dict(further or {}))


def seconds_per_step(recipe: Recipe, network: Upscaler, device: torch.device) -> float:
    """Return how long an update of a network takes here; the network stays as it is."""
    trainer = PretrainTrainer(
        recipe, pixel_loss(recipe.pretrain.content_loss), device, own_team(), network
    )
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


def _finish(job: FineTuning, plan: Plan) -> Tuned:
    """Write the model and its card, and compare it with the one it began as."""
    run = RunFolder(job.out)
    entry = export_generator(run, job.target, job.target.stem, which="average")
    held = validated_on(plan)
    before, after = (
        measure(load_checkpoint(path).network, held, job.device).values
        for path in (file_of(job.start), job.target)
    )
    tuned = Tuned(entry, before, after, len(held))
    with written_whole(job.target.with_suffix(".md")) as part:
        part.write_text(card_of(job, tuned, run), encoding="utf-8")
    return tuned


def card_of(job: FineTuning, tuned: Tuned, run: RunFolder) -> str:
    """Return the card of a model that was fine-tuned: what it is, measures, and is made of."""
    described = run.described()
    settings = json.dumps(dict(job.changes), ensure_ascii=False) if job.changes else "none"
    return f"""# {tuned.entry["name"]}

`{job.start}` fine-tuned on {described["images"]} images of {job.images.name}, for images of their
kind. It is as good on others as they are like these.

| on {tuned.images} images held back | PSNR dB | SSIM (daala) | perceptual distance |
|---|---|---|---|
| {job.start} | {_figures(tuned.before)} |
| {tuned.entry["name"]} | {_figures(tuned.after)} |

- file: `{job.target.name}`, sha256 `{tuned.entry["sha256"]}`
- scale: {tuned.entry["scale"]}, family: {tuned.entry["family"]}, generative: no
- begun with: sha256 `{described["weights"]}`
- recipe: `{RECIPE}`; settings changed: {settings}
- time allowed: {job.seconds / 60:.0f} minutes, from {described["began"]}
- napari-srgan {described["napari-srgan"]}, torch {described["torch"]}, {described["machine"]}
- licence: that of the images and of `{job.start}` decides; fill it in before you give the file away
"""


def _figures(measured: Mapping[str, float]) -> str:
    return f"{measured['psnr']:.2f} | {measured['ssim_daala']:.4f} | {measured['perceptual']:.4f}"
