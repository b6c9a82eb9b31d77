"""Fine-tune a model on images of one kind within a time: run, comparison, model and card."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from threading import Event
from typing import TypeAlias

from napari_srgan.files.atomic import written_whole
from napari_srgan.inference.settings import iter_mapped
from napari_srgan.models.generator import Generator as Upscaler
from napari_srgan.runs import ask, asked_of
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.load import file_of, remember
from napari_srgan.store.own_models import keep_own_models, recall_own_models
from napari_srgan.training.data.packing import PackingProgress
from napari_srgan.training.data.sources import check_outside
from napari_srgan.training.run.experiment import (
    Note,
    PhaseReport,
    Plan,
    iter_images,
    iter_run,
)
from napari_srgan.training.run.export import check_target, export_generator
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.lock import locked
from napari_srgan.training.run.tuned import Tuned, card_of
from napari_srgan.training.run.tuning_plan import FineTuning, plan_of, timed
from napari_srgan.training.watch.patch import Patches
from napari_srgan.training.watch.teller import Teller
from napari_srgan.training.watch.validation import Held, measure

Events: TypeAlias = Generator[PackingProgress | Note | PhaseReport, None, Tuned | None]

_LOCK = ".fine-tune.lock"  # also while images are decoded and results measured


def iter_fine_tune(job: FineTuning, stop: Event) -> Events:
    """Fine-tune a model: yield how it goes, return what came of it; None where it was paused.

    It is paused once ``stop`` is set, or ``asked.json`` in its folder asks for that; the same job
    goes on from there, with its time anew. A checkpoint is written at least every minute. How it
    stands, and a patch before and after, are in files of the folder (:mod:`napari_srgan.runs`).

    Raises
    ------
    OSError
        If images, the model or the run cannot be read or written, or another process is at it.
    ValueError
        If the start model draws texture, or the images do not suit.
    FloatingPointError
        If training diverges.
    MemoryError
        If memory runs out.
    """
    until = time.monotonic() + job.seconds
    check_target(job.target)
    check_outside(job.out, job.images)
    with locked(job.out, _LOCK):
        ask(job.out, replace(asked_of(job.out), end=""))
        teller = Teller(job.out)
        with teller.failures_told():
            return (yield from _iter_told(job, stop, until, teller))


def _iter_told(job: FineTuning, stop: Event, until: float, teller: Teller) -> Events:
    begun = plan_of(job)
    pack, held = yield from iter_mapped(iter_images(begun), teller.take)
    start = load_checkpoint(file_of(job.start)).network
    teller.say(text="Measuring the start model …", images=tuple(each.name for each in held))
    began = time.monotonic()
    before = measure(start, held, job.device, begun.distances).values
    now = time.monotonic()
    teller.say(text="Measuring how fast this computer is …", before=before)
    plan = timed(begun, len(pack.entries), until - now, now - began)
    teller.say(text="Beginning …", steps=plan.recipe.pretrain.steps)
    events = _iter_steps(_with_patches(plan, held, start), stop, until)
    if not (yield from iter_mapped(events, teller.take)):
        teller.say(state="paused", text="Paused: everything is saved.", seconds_left=None)
        return None
    teller.say(state="measuring", text="Measuring what was won …", seconds_left=None)
    tuned = _finish(job, plan, before, held)
    teller.say(state="done", text=tuned.verdict(), model=str(job.target.absolute()))
    return tuned


def _with_patches(plan: Plan, held: list[Held], start: Upscaler) -> Plan:
    """Return a plan that draws the patch which is asked for at every report."""
    patches = Patches(plan.out, held, start, plan.device)
    patches.write_thumbnails()

    def draw(step: int, network: Upscaler) -> None:
        patches.draw(asked_of(plan.out), network, step)

    return replace(plan, onlook=draw)


def _iter_steps(
    plan: Plan, stop: Event, until: float
) -> Generator[PackingProgress | Note | PhaseReport, None, bool]:
    """Train until the time is over or an end is asked for; return whether a model is wanted."""
    enough, paused = Event(), False
    for event in iter_run(plan, enough):
        yield event
        end = asked_of(plan.out).end
        paused = paused or stop.is_set() or end == "pause"
        if paused or end == "finish" or time.monotonic() > until:
            enough.set()
    return not paused


def _finish(job: FineTuning, plan: Plan, before: Mapping[str, float], held: list[Held]) -> Tuned:
    """Write the model and its card, and compare it with the one it began as."""
    run = RunFolder(job.out)
    entry = export_generator(run, job.target, job.target.stem, which="average")
    network = load_checkpoint(job.target).network
    after = measure(network, held, job.device, plan.distances).values
    tuned = Tuned(entry, before, after, len(held))
    with written_whole(job.target.with_suffix(".md")) as part:
        part.write_text(card_of(job, tuned, run), encoding="utf-8")
    if job.listed:
        folder = cache_folder()
        recall_own_models(folder)
        remember(job.target)
        keep_own_models(folder)
    return tuned
