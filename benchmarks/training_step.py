"""Steps of training at the paper's batch: plain against ours, interleaved in one run.

Plain is phase 1 in float32 and PyTorch's default memory layout; ours is what training does here:
residual blocks and losses' networks in 16 bits where the device has them, channels last, on a card
a recorded graph. VGG19 has random weights, which cost as much as trained ones. *of peak* is a
step's operations, counted by PyTorch in its own run, at the rate of the best of several products
and convolutions.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from arithmetic import peak_rate, wait_for
from PIL import Image
from skimage import data as samples
from texts import say, table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from napari_srgan.inference.devices import choose_device, describe_device, half_precision
from napari_srgan.training.config import Recipe, load_recipe
from napari_srgan.training.data.crops import Crops, CropSampler, iter_batches
from napari_srgan.training.data.open import open_pack
from napari_srgan.training.optimise.distributed import Team
from napari_srgan.training.optimise.losses import VGGLoss, pixel_loss
from napari_srgan.training.optimise.precision import seen_in
from napari_srgan.training.optimise.vgg import load_vgg
from napari_srgan.training.run.loop import unit_batch
from napari_srgan.training.run.trainers import AdversarialTrainer, PretrainTrainer, build_generator

Step: TypeAlias = Callable[[Tensor, Tensor], object]

ROUNDS = 5
STEPS = {"cuda": 50}  # of a round, which waits for the device at its end; elsewhere 1
PLAIN = "plain float32"
VGG54 = (5, 4)


def main() -> None:
    """Print a table."""
    device = choose_device()
    print(describe_device(device))
    with tempfile.TemporaryDirectory() as folder:
        batches = iter_batches(sampler_of_samples(Path(folder)), 0, 0)
        _, low, high = next(batches)
        batch = unit_batch(low, device), unit_batch(high, device)
        steps = steps_on(device)
        counts = {name: operations(step, batch) for name, step in steps.items()}
        times = take_turns(steps, batch, device)
        waiting = statistics.median(waits(batches))
        batches.close()
    half = str(half_precision(device)).removeprefix("torch.")
    plain_peak, peak = peak_rate("float32", device), peak_rate(half, device)
    rows = [
        (
            name,
            f"{1 / taken:.2f}",
            f"{times[PLAIN] / taken:.2f}",
            f"{100 * counts[name] / taken / (plain_peak if name == PLAIN else peak):.0f} %",
        )
        for name, taken in times.items()
    ]
    print(table(("16 crops of 96 × 96", "steps a second", "× plain", "of peak"), rows))
    print(f"reading a batch: {waiting / times['phase 1']:.1%} of a step of phase 1")


def steps_on(device: torch.device) -> dict[str, Step]:
    """Return the steps that are compared; each takes low and high images in [0, 1]."""
    recipe, team = dataclasses.replace(load_recipe("srgan-mse"), precision="auto"), Team()
    mse = pixel_loss("mse")
    trunk = load_vgg(VGG54, random=True).network.to(device)
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as documented
    vgg = seen_in("auto", device, VGGLoss(trunk))
    return {
        PLAIN: plain_step(recipe, device),
        "phase 1": PretrainTrainer(recipe, mse, device, team).update,
        "phase 2, MSE": AdversarialTrainer(recipe, None, mse, device, team).update,
        "phase 2, VGG19": AdversarialTrainer(recipe, None, vgg, device, team).update,
    }


def plain_step(recipe: Recipe, device: torch.device) -> Step:
    """Return a step of phase 1 as it is commonly written."""
    network = build_generator(recipe).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step(low: Tensor, high: Tensor) -> None:
        loss = F.mse_loss(network(low.contiguous()), 2 * high.contiguous() - 1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def operations(step: Step, batch: tuple[Tensor, Tensor]) -> int:
    """Return the floating-point operations of products and convolutions in a step."""
    with FlopCounterMode(display=False) as counter:
        step(*batch)
    return int(counter.get_total_flops())


def take_turns(
    steps: dict[str, Step], batch: tuple[Tensor, Tensor], device: torch.device
) -> dict[str, float]:
    """Return the median seconds of each step; a first round chooses algorithms and records."""
    count = STEPS.get(device.type, 1)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            say(f"{name}: {turn} of {ROUNDS}")
            wait_for(device)
            began = time.perf_counter()
            for _ in range(count):
                step(*batch)
            wait_for(device)
            times[name].append((time.perf_counter() - began) / count)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def waits(batches: Iterator[object]) -> Iterator[float]:
    """Yield the seconds that each of some batches was waited for."""
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        next(batches)
        yield time.perf_counter() - began


def sampler_of_samples(folder: Path) -> CropSampler:
    """Return the paper's batches, of crops of scikit-image's own pictures."""
    images = folder / "images"
    images.mkdir()
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = getattr(samples, name)()
        for quarter in range(4):
            Image.fromarray(np.rot90(picture, quarter)).save(images / f"{name}-{quarter}.png")
    pack = open_pack(images, folder / "cache", smallest=96)
    return CropSampler(pack, Crops(16, 96))


if __name__ == "__main__":
    main()
