"""One update of each phase: networks, optimizers, losses, and all that resuming needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from napari_srgan.models.discriminator import Discriminator
from napari_srgan.models.edsr import EDSR
from napari_srgan.models.families import FAMILIES
from napari_srgan.models.generator import Generator
from napari_srgan.models.mdsr import MDSR
from napari_srgan.models.srcnn import SRCNN, start_as_bicubic
from napari_srgan.models.srresnet import SRResNet, start_as_interpolation
from napari_srgan.training.config import Adversarial, Pretrain, Recipe
from napari_srgan.training.optimise.distill import Teacher
from napari_srgan.training.optimise.distributed import Team, share_batch_norms, shared
from napari_srgan.training.optimise.ema import Average
from napari_srgan.training.optimise.losses import (
    ContentLoss,
    adversarial_loss,
    discriminator_loss,
    grid_loss,
    l1_loss,
    mesh_loss,
    overshoot_loss,
    total_variation,
)
from napari_srgan.training.optimise.optimizers import NetworkOptimizer
from napari_srgan.training.optimise.precision import Autocast, blocks_in
from napari_srgan.training.optimise.residual_start import start_as_bilinear
from napari_srgan.training.optimise.schedules import dropped, faded, halved, warmed_up
from napari_srgan.training.optimise.supervision import Supervised, supervised_loss
from napari_srgan.training.run.recorded_step import in_one_launch

State: TypeAlias = dict[str, Any]


class Trainer(Protocol):
    """What the loop needs of a phase."""

    step: int
    average: Average[Generator]

    @property
    def generator(self) -> Generator:
        """The network that is trained."""

    def learning_rate(self) -> float:
        """Return the rate of the next update."""

    def update(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Make one update on low and high images in [0, 1]; return what it measured."""

    def state(self) -> State:
        """Return everything an exact continuation needs."""

    def restore(self, state: State) -> None:
        """Continue from what :meth:`state` returned."""


# How a network of a family starts as interpolation.
STARTS: dict[str, Callable[[Any], None]] = {
    SRResNet.family: start_as_interpolation,
    SRCNN.family: start_as_bicubic,
    EDSR.family: start_as_bilinear,
    MDSR.family: start_as_bilinear,
}


def build_network(recipe: Recipe) -> Generator:
    """Return a network of a recipe's family and sizes, its weights random."""
    return FAMILIES[recipe.network.family](**recipe.network.arguments)


def build_generator(recipe: Recipe, start: Generator | None = None) -> Generator:
    """Return a recipe's generator with the weights of ``start``, or those the seed gives."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe)
    if start is not None:
        network.load_state_dict(start.state_dict())
    elif recipe.pretrain.start == "interpolation":
        STARTS[network.family](network)
    return network


class PretrainTrainer:
    """Phase 1: the generator by a content loss.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    content : callable
        ``content(upscaled, high)``, both in [-1, 1].
    device : torch.device
        Where to compute.
    team : Team
        The processes that train together.
    start : Generator, optional
        A network to train on, of the recipe's sizes, in place of what ``pretrain.start`` says.
    teacher : Teacher, optional
        Whose answers are part of what is learned.
    """

    def __init__(
        self,
        recipe: Recipe,
        content: ContentLoss,
        device: torch.device,
        team: Team,
        start: Generator | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self._phase: Pretrain = recipe.pretrain
        self._teacher = teacher
        self.step = 0
        self.generator = _placed(build_generator(recipe, start), device, team)
        self.average = Average(self.generator, recipe.ema)
        supervised = Supervised(self.generator, recursions=self._phase.recursive_share > 0)
        self._shared = shared(supervised, team, in_part=len(self.generator.scales) > 1)
        self._content = content
        self._autocast = Autocast(recipe.precision, device)
        self._optimizer = NetworkOptimizer(
            self.generator,
            _betas(self._phase),
            self._phase.optimizer,
            relative=self._phase.rate_of == "layer",
            most=self._phase.most_gradient,
        )
        one_alone = team.size == 1 and len(self.generator.scales) == 1
        self._recorded_on = device if one_alone and _is_repeated(self._phase) else None
        self._work = in_one_launch(self._learn, self._recorded_on)

    def learning_rate(self) -> float:
        """Return the rate of the next update."""
        phase = self._phase
        rate = warmed_up(
            self.step,
            peak=phase.learning_rate,
            steps=phase.steps,
            warmup=phase.warmup,
            cosine=phase.schedule == "cosine",
        )
        if phase.schedule == "halving":
            rate = halved(self.step, peak=rate, every=phase.halve_every)
        return rate

    def _recursive_share(self) -> float:
        phase = self._phase
        return faded(self.step, first=phase.recursive_share, steps=phase.steps)

    def update(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Make one update on low ``(n, c, h, w)`` and high images, both in [0, 1].

        Of a network of several scales, the one that the images are of is trained.
        """
        high = 2 * high - 1
        if self._teacher is not None:
            high = self._teacher.lesson(low, high)
        _to_training(self.generator, self._phase.batch_norm)
        self._optimizer.set_rate(self.learning_rate())
        self.average.begin_update()
        measured = self._work(low, high)
        self.step += 1
        return measured

    def _learn(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Do an update's work on low images and high ones in [-1, 1]; return what it measured."""
        scale = high.shape[-1] // low.shape[-1]
        with blocks_in(self._autocast, self.generator):
            made = self._shared(low, scale)
        signed = [to_signed(image, self.generator.value_range) for image in made]
        terms = self._terms(signed, high, scale)
        norm = self._optimizer.step(sum_of(terms))
        self.average.update(self.generator)
        return {**{name: term.detach() for name, term in terms.items()}, "gradient": norm}

    def _terms(self, images: list[Tensor], high: Tensor, scale: int) -> dict[str, Tensor]:
        """Return the content loss, and what is added to it by terms that have a weight."""
        phase, upscaled = self._phase, images[0]
        content = supervised_loss(images, high, self._content, self._recursive_share())
        terms = {"content": content}
        if phase.l1_weight:
            terms["l1"] = phase.l1_weight * l1_loss(upscaled, high) / 2  # on [0, 1]
        if phase.mesh_weight:
            terms["mesh"] = phase.mesh_weight * mesh_loss(upscaled, high, scale)
        if phase.variation_weight:
            terms["variation"] = phase.variation_weight * total_variation(upscaled)
        return terms

    def state(self) -> State:
        """Return everything an exact continuation needs."""
        return {
            "step": self.step,
            "generator": self.generator.state_dict(),
            "average": self.average.state(),
            "optimiser": self._optimizer.state(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: State) -> None:
        """Continue from what :meth:`state` returned."""
        self.step = state["step"]
        self.generator.load_state_dict(state["generator"])
        self.average.restore(state["average"])
        self._optimizer.restore(state["optimiser"])
        torch.set_rng_state(state["random"])
        self._work = in_one_launch(self._learn, self._recorded_on)  # the state is elsewhere now


class AdversarialTrainer:
    """Phase 2: generator and discriminator in turn, one update each (§3.2: k = 1).

    Parameters
    ----------
    recipe : Recipe
        What to do; its ``adversarial`` is set.
    start : Generator, optional
        The generator of phase 1 (§3.2: "to avoid undesired local optima").
    content, device, team
        As for :class:`PretrainTrainer`.
    """

    def __init__(
        self,
        recipe: Recipe,
        start: Generator | None,
        content: ContentLoss,
        device: torch.device,
        team: Team,
    ) -> None:
        if recipe.adversarial is None:
            raise ValueError("This recipe has no second phase: it lacks the table [adversarial].")
        self._phase: Adversarial = recipe.adversarial
        self.step = 0
        network = build_generator(recipe, start)
        critic = Discriminator(
            features=self._phase.discriminator_features,
            channels=recipe.network.channels,
            crop=recipe.data.crop,
        )
        self.generator = _placed(network, device, team)
        self.discriminator = _placed(critic, device, team)
        self.average = Average(self.generator, recipe.ema)
        self._shared_generator = shared(self.generator, team)
        self._shared_discriminator = shared(self.discriminator, team)
        self._content = content
        self._autocast = Autocast(recipe.precision, device)
        self._optimizer = NetworkOptimizer(self.generator, _betas(self._phase))
        self._critic_optimizer = NetworkOptimizer(self.discriminator, _betas(self._phase))
        repeated = team.size == 1 and _is_repeated(self._phase)
        self._recorded_on = device if repeated else None
        self._work = in_one_launch(self._play, self._recorded_on)

    def learning_rate(self) -> float:
        """Return the rate of the next update."""
        phase = self._phase
        return dropped(self.step, peak=phase.learning_rate, drop_at=phase.drop_at)

    def update(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Make one update of each network on low ``(n, c, h, w)`` and high, both in [0, 1]."""
        high = 2 * high - 1
        _to_training(self.generator, self._phase.batch_norm)
        self.discriminator.train()
        for optimizer in (self._optimizer, self._critic_optimizer):
            optimizer.set_rate(self.learning_rate())
        self.average.begin_update()
        measured = self._work(low, high)
        self.step += 1
        return measured

    def _play(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Do an update's work on low images and high ones in [-1, 1]; return what it measured."""
        with blocks_in(self._autocast, self.generator):
            upscaled = self._shared_generator(low)
        upscaled = to_signed(upscaled, self.generator.value_range)
        measured = self._update_discriminator(upscaled.detach(), high)
        measured |= self._update_generator(upscaled, high)
        self.average.update(self.generator)
        return measured

    def _update_discriminator(self, upscaled: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Eq. 2, as a loss to be lowered."""
        self.discriminator.requires_grad_(True)
        with self._autocast():
            real = self._shared_discriminator(self._moved(high))
            fake = self._shared_discriminator(self._moved(upscaled))
        loss = discriminator_loss(real.float(), fake.float())
        norm = self._critic_optimizer.step(loss)
        return {
            "discriminator": loss.detach(),
            "discriminator_gradient": norm,
            "d_high": real.detach().float().sigmoid().mean(),
            "d_upscaled": fake.detach().float().sigmoid().mean(),
        }

    def _moved(self, images: Tensor) -> Tensor:
        return (
            random_translation(images, self._phase.random_translation)
            if self._phase.random_translation
            else images
        )

    def _update_generator(self, upscaled: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Eq. 3: content, and 10⁻³ times the adversarial loss of eq. 6."""
        self.discriminator.requires_grad_(False)
        content = self._content(upscaled, high)
        with self._autocast():
            logits = self.discriminator(self._moved(upscaled))
        terms = {
            "content": content,
            "adversarial": self._phase.adversarial_weight * adversarial_loss(logits.float()),
            **self._further_terms(upscaled, high),
        }
        # Each term's gradient is taken to the output, and their sum from there on: as much work as
        # one backward pass, and it tells which term has how much of a say.
        slopes = {name: torch.autograd.grad(term, upscaled)[0] for name, term in terms.items()}
        norm = self._optimizer.step(upscaled, at_output=sum_of(slopes))
        return {
            **{name: term.detach() for name, term in terms.items()},
            "gradient": norm,
            "content_gradient": slopes["content"].norm(),
            "adversarial_gradient": slopes["adversarial"].norm(),
        }

    def _further_terms(self, upscaled: Tensor, high: Tensor) -> dict[str, Tensor]:
        """Return what is added to eq. 3 by terms that have a weight; the paper has none."""
        phase, terms = self._phase, {}
        if phase.grid_weight:
            terms["grid"] = phase.grid_weight * grid_loss(upscaled, high, self.generator.scale)
        if phase.overshoot_weight:
            terms["overshoot"] = phase.overshoot_weight * overshoot_loss(upscaled, high)
        return terms

    def state(self) -> State:
        """Return everything an exact continuation needs."""
        return {
            "step": self.step,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state(),
            "optimiser": self._optimizer.state(),
            "discriminator_optimiser": self._critic_optimizer.state(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: State) -> None:
        """Continue from what :meth:`state` returned."""
        self.step = state["step"]
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.average.restore(state["average"])
        self._optimizer.restore(state["optimiser"])
        self._critic_optimizer.restore(state["discriminator_optimiser"])
        torch.set_rng_state(state["random"])
        self._work = in_one_launch(self._play, self._recorded_on)  # the state is elsewhere now


def sum_of(terms: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the terms of a loss, or of their gradients."""
    first, *others = terms.values()
    return sum(others, start=first)


def to_signed(images: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Return a generator's output in [-1, 1], the range of the losses (§3.2), black being -1."""
    black, white = value_range
    if (black, white) == (-1.0, 1.0):
        return images
    return 2 * (images - black) / (white - black) - 1


def random_translation(images: Tensor, most: int) -> Tensor:
    """Return images translated by up to ``most`` pixels along each axis, mirrored at borders.

    A discriminator with strides weighs odd and even pixels differently, and always the same ones.
    Its gradient then draws a grid, which nothing takes away while it is young. Judging images that
    are moved by a random distance, which is an augmentation (Zhao et al. 2020, arXiv:2006.10738,
    "translation"), leaves the grid no fixed place.
    """
    down, right = torch.randint(2 * most + 1, (2,)).tolist()
    height, width = images.shape[2:]
    wider = torch.nn.functional.pad(images, (most, most, most, most), mode="reflect")
    return wider[:, :, down : down + height, right : right + width]


def _is_repeated(phase: Pretrain | Adversarial) -> bool:
    """Tell whether every step does the same: draws no noise, and weighs its terms as before."""
    if phase.content_loss.startswith("lpips"):
        return False
    if isinstance(phase, Adversarial):
        return not phase.random_translation
    return phase.optimizer == "adam" and phase.recursive_share == 0  # Muon waits for its device


def _placed(network: Any, device: torch.device, team: Team) -> Any:
    share_batch_norms(network, team)
    network.to(device)
    return network.to(memory_format=torch.channels_last)


def _to_training(network: Generator, batch_norm: str) -> None:
    network.train()
    if batch_norm == "frozen":
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def _betas(phase: Pretrain | Adversarial) -> tuple[float, float]:
    return phase.beta1, phase.beta2
