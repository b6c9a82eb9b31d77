"""A whole run: images, phase 1, phase 2 from its weights; what it writes, and how it goes on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias

import torch

from napari_srgan.inference.devices import choose_device
from napari_srgan.models.generator import Generator as Upscaler
from napari_srgan.models.perceptual.vgg import VGG16Features, VGG19Features, VGGFeatures
from napari_srgan.models.srresnet import SRResNet, for_grey, without_norms
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.training.config import Recipe
from napari_srgan.training.data.crops import Crops, CropSampler
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.data.degraded_crops import DegradedCropSampler, sampler_for
from napari_srgan.training.data.device_crops import DeviceCropSampler
from napari_srgan.training.data.guards import warnings_of
from napari_srgan.training.data.open import Part, iter_open_pack
from napari_srgan.training.data.pack import Pack
from napari_srgan.training.data.packing import PackingProgress
from napari_srgan.training.data.scales import ScalesSampler
from napari_srgan.training.data.sources import find_sources
from napari_srgan.training.metrics.learned import Distance
from napari_srgan.training.metrics.lpips import LPIPS, heads_of
from napari_srgan.training.optimise.distill import Teacher
from napari_srgan.training.optimise.distributed import (
    Team,
    agree,
    leader_first,
    own_device,
    team,
    wait_for_all,
)
from napari_srgan.training.optimise.losses import ContentLoss, VGGLoss, pixel_loss
from napari_srgan.training.optimise.lpips_loss import LPIPSLoss
from napari_srgan.training.optimise.precision import seen_in
from napari_srgan.training.optimise.vgg import load_vgg
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.lock import locked
from napari_srgan.training.run.loop import DEFAULT_PACE, Pace, Report, iter_training
from napari_srgan.training.run.trainers import (
    AdversarialTrainer,
    PretrainTrainer,
    Trainer,
    build_generator,
)
from napari_srgan.training.watch.log import RunLog
from napari_srgan.training.watch.observer import Observer
from napari_srgan.training.watch.validation import Held, held_images

AnySampler: TypeAlias = CropSampler | DeviceCropSampler | DegradedCropSampler | ScalesSampler

_WARNING = "warning: "
VGG_LAYERS: dict[str, tuple[type[VGGFeatures], tuple[int, int]]] = {
    "vgg22": (VGG19Features, (2, 2)),
    "vgg54": (VGG19Features, (5, 4)),
    "vgg16-22": (VGG16Features, (2, 2)),
    "vgg16-53": (VGG16Features, (5, 3)),
    "lpips-vgg": (VGG16Features, (5, 3)),
}


@dataclass(frozen=True)
class Plan:
    """What to train on what.

    Attributes
    ----------
    recipe : Recipe
        The networks and the phases.
    data, out, cache : Path
        Images, the run's folder, and where decoded images are kept.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    hold_back : tuple of str
        Patterns of images that are validated on and not trained on.
    vgg_weights : Path, optional
        A file to use in place of the download, or a folder that holds it.
    random_vgg : bool
        Whether VGG losses use random weights, which are good for trying things out only.
    start_from : Path, optional
        A model file whose weights phase 1 trains on, in place of a start of its own.
    teacher : Path, optional
        A model file whose answers phase 1 learns from, to the recipe's ``teacher_share``.
    phase_1_weights : Path, optional
        A model file that phase 2 starts from in place of training phase 1.
    without_phase_1 : bool
        Whether phase 2 may start from random weights.
    pace : Pace
        How often to report, save and validate.
    distances : mapping of str to callable
        Learned distances that are validated by besides.
    onlook : callable, optional
        Is given the step and the averaged generator at every report.
    """

    recipe: Recipe
    data: Path
    out: Path
    cache: Path
    device: str = "auto"
    hold_back: tuple[str, ...] = ()
    vgg_weights: Path | None = None
    random_vgg: bool = False
    start_from: Path | None = None
    teacher: Path | None = None
    phase_1_weights: Path | None = None
    without_phase_1: bool = False
    pace: Pace = DEFAULT_PACE
    distances: Mapping[str, Distance] = field(default_factory=dict)
    onlook: Callable[[int, Upscaler], None] | None = None

    def __post_init__(self) -> None:
        if self.start_from is not None and not self.trains_phase_1:
            raise ValueError(
                "--start-from is where phase 1 begins; there is no phase 1 with --phase-1-weights "
                "or --without-phase-1."
            )
        share = self.recipe.pretrain.teacher_share if self.trains_phase_1 else 0
        if (self.teacher is not None) != (share > 0):
            raise ValueError(
                "--teacher and --set pretrain.teacher_share=SHARE go together, and with phase 1; "
                f"the teacher is {self.teacher}, its share {share}."
            )

    @property
    def trains_phase_1(self) -> bool:
        """Whether phase 1 is part of the run."""
        return self.phase_1_weights is None and not self.without_phase_1


@dataclass(frozen=True)
class Note:
    """Something that a person should know."""

    text: str

    @property
    def is_warning(self) -> bool:
        """Whether something is wrong, as far as can be seen."""
        return self.text.startswith(_WARNING)


@dataclass(frozen=True)
class PhaseReport:
    """Where a phase stands."""

    phase: str
    report: Report


def iter_run(
    plan: Plan, stop: Event
) -> Generator[PackingProgress | Note | PhaseReport, None, None]:
    """Do a run, or resume it, yielding reports; end after a step once ``stop`` is set.

    Raises
    ------
    OSError
        If images, weights or checkpoints cannot be read or written.
    ValueError
        If the folder holds a run of another recipe or on other images, or the images do not suit.
    FloatingPointError
        If training diverges.
    """
    device = own_device(choose_device(plan.device))
    if plan.out.resolve().is_relative_to(plan.data.resolve()):
        raise ValueError(
            f"{plan.out} lies within the images, {plan.data}: what the run writes would become "
            "training data. Name another --out."
        )
    with team(device) as here, locked(plan.out) if here.leads else nullcontext():
        with leader_first(here):
            pack = yield from _iter_open(plan, "training")
        held = _held_back(plan, pack)
        images = held_images(pack, held, reduction_of(plan.recipe)) if here.leads else []
        warnings = list(warnings_of(pack, held)) if here.leads else []
        pack = pack.without(held)
        if here.leads:
            yield from (Note(f"{_WARNING}{text}") for text in warnings)
            yield Note(f"{pack.summary()}; {len(held)} held back for validation")
            if not plan.hold_back and (images := (yield from _iter_published(plan))):
                yield Note(f"{len(images)} of DIV2K's validation images are validated on")
        given = plan.start_from or plan.phase_1_weights
        run = RunFolder(plan.out)
        work = _Work(plan, run, pack, images, device, here, stop)
        with leader_first(here):
            sources = work.load_features()
        if here.leads:
            run.begin(
                plan.recipe,
                data=plan.data,
                pack=pack,
                vgg=sources,
                weights=given,
                teacher=plan.teacher,
            )
        if plan.trains_phase_1:
            yield from work.iter_phase_1()
        if plan.recipe.adversarial is not None and not stop.is_set():
            yield from work.iter_phase_2()


def _iter_open(plan: Plan, part: Part) -> Generator[PackingProgress, None, Pack]:
    network = plan.recipe.network
    return iter_open_pack(
        plan.data,
        plan.cache,
        scale=network.scale,
        smallest=plan.recipe.data.crop // network.scale * max(network.scales),
        channels=network.channels,
        normalize=plan.recipe.data.normalize,
        part=part,
    )


def _iter_published(plan: Plan) -> Generator[PackingProgress, None, list[Held]]:
    """Return some of the validation images that DIV2K sets apart, if they are there."""
    if not find_sources(plan.data, scale=plan.recipe.network.scale).validation:
        return []
    pack = yield from _iter_open(plan, "validation")
    chosen, count = plan.recipe.validation, len(pack.entries)
    step = -(-count // chosen.images) if chosen.take == "spread" else 1
    shown = range(0, count, step)[: chosen.images]
    return held_images(pack, shown, reduction_of(plan.recipe))


def iter_images(plan: Plan) -> Generator[PackingProgress, None, tuple[Pack, list[Held]]]:
    """Return what a run trains on and what it holds back; yield progress while decoding."""
    pack = yield from _iter_open(plan, "training")
    held = _held_back(plan, pack)
    return pack.without(held), held_images(pack, held, reduction_of(plan.recipe))


def _held_back(plan: Plan, pack: Pack) -> list[int]:
    held = [i for i, e in enumerate(pack.entries) if _matches(e.name, plan.hold_back)]
    if plan.hold_back and not held:
        raise ValueError(
            f"--hold-back {' '.join(plan.hold_back)} matches none of the {len(pack.entries)} "
            f"images, such as {pack.entries[0].name}."
        )
    return held


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


class _Work:
    """The parts of a run that its phases share."""

    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        pack: Pack,
        images: list[Held],
        device: torch.device,
        here: Team,
        stop: Event,
    ) -> None:
        self._plan, self._run, self._images = plan, run, images
        self._device, self._team, self._stop = device, here, stop
        self._pack = pack
        self._losses: dict[str, ContentLoss] = {}

    def load_features(self) -> dict[str, str]:
        """Make the content losses ready; return where VGG weights are from, by loss."""
        recipe, sources = self._plan.recipe, {}
        wanted = {recipe.pretrain.content_loss} if self._plan.trains_phase_1 else set()
        if recipe.adversarial is not None:
            wanted.add(recipe.adversarial.content_loss)
        for name in sorted(wanted):
            if name not in VGG_LAYERS:
                self._losses[name] = pixel_loss(name)
                continue
            kind, layer = VGG_LAYERS[name]
            loaded = load_vgg(
                layer,
                kind=kind,
                file=self._plan.vgg_weights,
                random=self._plan.random_vgg,
                progress=self._team.leads,
            )
            sources[name] = loaded.source
            features: Any = loaded.network  # torch's types do not know of memory formats
            features = features.to(self._device, memory_format=torch.channels_last)
            if name == "lpips-vgg":
                loss: LPIPSLoss | VGGLoss = LPIPSLoss(LPIPS(features, heads_of("vgg")))
            else:
                loss = VGGLoss(features, recipe.vgg_scale)
            loss = loss.to(self._device)
            self._losses[name] = seen_in(recipe.vgg_precision, self._device, loss)
        return sources

    def iter_phase_1(self) -> Generator[Note | PhaseReport, None, None]:
        """Train the generator by a content loss, to its end."""
        recipe, given = self._plan.recipe, self._plan.start_from
        content = self._losses[recipe.pretrain.content_loss]
        start = None if given is None else _start_of(load_checkpoint(given).network, recipe)
        trainer = PretrainTrainer(
            recipe, content, self._device, self._team, start, self._load_teacher()
        )
        sampler = self._sampler(recipe.network.scales)
        yield from self._iter_phase(
            "pretrain", trainer, sampler, recipe.pretrain.steps, recipe.seed
        )

    def _sampler(self, scales: Sequence[int]) -> AnySampler:
        """Return where the batches of a phase come from, which trains these scales."""
        recipe, data = self._plan.recipe, self._plan.recipe.data
        crops = Crops(data.batch, data.crop, data.busiest_of)
        if len(scales) > 1:
            return ScalesSampler(self._pack, scales, crops)
        return sampler_for(self._pack, self._device, crops, reduction_of(recipe))

    def _load_teacher(self) -> Teacher | None:
        recipe, path = self._plan.recipe, self._plan.teacher
        if path is None:
            return None
        network, wanted = load_checkpoint(path).network, recipe.network
        if (network.scale, network.channels) != (wanted.scale, wanted.channels):
            raise ValueError(
                f"The teacher {path} makes ×{network.scale} of {network.channels} channels; the "
                f"recipe ×{wanted.scale} of {wanted.channels}."
            )
        return Teacher(network, recipe.pretrain.teacher_share, self._device)

    def iter_phase_2(self) -> Generator[Note | PhaseReport, None, None]:
        """Train against a discriminator, from what phase 1 ended with."""
        recipe = self._plan.recipe
        if recipe.adversarial is None:
            return
        start = None if self._plan.without_phase_1 else self._generator_of_phase_1()
        content = self._losses[recipe.adversarial.content_loss]
        trainer = AdversarialTrainer(recipe, start, content, self._device, self._team)
        # Another seed: the same one would show phase 2 the crops of phase 1 again.
        sampler = self._sampler((recipe.network.scale,))
        yield from self._iter_phase(
            "adversarial", trainer, sampler, recipe.adversarial.steps, recipe.seed + 1
        )

    def _generator_of_phase_1(self) -> Upscaler:
        """Return the generator that phase 2 begins with (§3.2).

        Raises
        ------
        ValueError
            If phase 1 has not come to its end, or the file is of another network.
        """
        recipe = self._plan.recipe
        if self._plan.phase_1_weights is not None:
            return _same_sizes(load_checkpoint(self._plan.phase_1_weights).network, recipe)
        state = Checkpoints(self._run.phase("pretrain")).latest()
        if state is None or state["step"] < recipe.pretrain.steps:
            raise ValueError(
                f"Phase 1 of {self._plan.out} has not come to its end. Phase 2 starts from its "
                "weights; --without-phase-1 starts it from random ones all the same."
            )
        network = build_generator(recipe)
        best = self._run.best("pretrain") if recipe.validation.restore_best else None
        network.load_state_dict((best or state)["generator"])
        return network

    def _iter_phase(
        self, name: str, trainer: Trainer, sampler: AnySampler, steps: int, seed: int
    ) -> Generator[Note | PhaseReport, None, None]:
        """Train a phase to its end, writing down and validating how it goes."""
        folder = self._run.phase(name)
        checkpoints = Checkpoints(folder)
        if (state := checkpoints.latest()) is not None:
            trainer.restore(state)
        if trainer.step and self._team.leads:
            yield Note(f"{name} goes on from step {trainer.step:,} of {steps:,}")
        due = partial(_is_due, every=self._plan.pace.validate, last=steps)
        loop = partial(
            iter_training,
            trainer,
            steps,
            sampler,
            checkpoints,
            seed=seed,
            device=self._device,
            team=self._team,
            pace=self._plan.pace,
            stop=self._stop,
        )
        with _full_disk_told(folder):
            if self._team.leads:
                yield from self._iter_observed(name, folder, trainer, loop, due)
            else:
                for _ in loop(note=_unnoted):
                    pass
        agree(trainer.generator, self._team, self._device)
        wait_for_all(self._team)  # for the last checkpoint, which the next phase reads

    def _iter_observed(
        self,
        name: str,
        folder: Path,
        trainer: Trainer,
        loop: Callable[..., Generator[Report, None, None]],
        due: Callable[[int], bool],
    ) -> Generator[Note | PhaseReport, None, None]:
        # PSNR would choose the most blurred of a GAN's generators.
        best_by = self._plan.recipe.validation.best_by if name == "pretrain" else "perceptual"
        with RunLog(folder, trainer.step) as log:
            observer = Observer(
                folder,
                log,
                self._images,
                str(self._device),
                trainer.step,
                best_by=best_by,
                distances=self._plan.distances,
            )
            for text in observer.catch_up(trainer, validate=due(trainer.step)):
                yield Note(text)
            for report in loop(note=partial(_log_training, log)):
                yield PhaseReport(name, report)
                if self._plan.onlook is not None:
                    self._plan.onlook(report.step, trainer.average.network)
                for text in observer.see(report, trainer, validate=due(report.step)):
                    yield Note(text)


def _is_due(step: int, *, every: int, last: int) -> bool:
    """Tell whether a step is one that is validated."""
    return step > 0 and (step % every == 0 or step == last)


def _log_training(log: RunLog, report: Report) -> None:
    log.scalars("training", report.step, report.row())


def _unnoted(_report: Report) -> None:
    """Leave a report to the process that leads."""


@contextmanager
def _full_disk_told(folder: Path) -> Iterator[None]:
    """Say of a disk that is full what remains and how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        saved = [path.name for path in Checkpoints(folder).paths()[-1:]]
        kept = f"The newest checkpoint is {saved[0]}" if saved else "There is no checkpoint yet"
        raise OSError(
            f"The disk of {folder} is full ({error}). {kept}: make room, and the same command "
            "goes on."
        ) from error


def _start_of(network: Upscaler, recipe: Recipe) -> Upscaler:
    """Return the recipe's generator to train on: norms that it has not are folded away.

    Where it is for grey images, so are colours.
    """
    bare = recipe.network.arguments.get("batch_norm") is False
    if bare and isinstance(network, SRResNet) and network.batch_norm:
        network = without_norms(network)
    if recipe.network.channels == 1 and isinstance(network, SRResNet):
        network = for_grey(network)
    return _same_sizes(network, recipe)


def _same_sizes(network: Upscaler, recipe: Recipe) -> Upscaler:
    """Return a generator, having made sure that it is the recipe's, norms included."""
    wanted = {"family": recipe.network.family, **recipe.network.arguments}
    found = {"family": network.family, **network.sizes()}
    if found != wanted:
        raise ValueError(
            f"The weights to start from are of a network of {found}; the recipe has {wanted}."
        )
    return network
