"""A step of phase 1 at the paper's batch: plain against fast, interleaved in one run.

Plain is float32 in PyTorch's default memory layout; fast is what training does here: bfloat16
where the processor has it, channels last. On a GPU both phases are timed as well.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data as samples
from torch import Tensor

from napari_srgan.inference.devices import choose_device, describe_device
from napari_srgan.training.config import Recipe, load_recipe
from napari_srgan.training.data.open import CropSampler, iter_batches, open_pack
from napari_srgan.training.optimise.distributed import Team
from napari_srgan.training.optimise.losses import pixel_loss
from napari_srgan.training.run.loop import unit_batch
from napari_srgan.training.run.trainers import AdversarialTrainer, PretrainTrainer, build_generator

ROUNDS = 5


def main() -> None:
    """Print a table."""
    device = choose_device()
    recipe = dataclasses.replace(load_recipe("srgan-mse"), precision="auto")
    print(describe_device(device))
    with tempfile.TemporaryDirectory() as folder:
        sampler = sampler_of_samples(Path(folder))
        batches = iter_batches(sampler, 0, 0)
        content, team = pixel_loss("mse"), Team()
        fast = PretrainTrainer(recipe, content, device, team)
        steps = {
            "plain float32": plain_step(recipe, device),
            "phase 1": fast.update,
            "phase 2": AdversarialTrainer(recipe, None, content, device, team).update,
        }
        times: dict[str, list[float]] = {name: [] for name in steps}
        waits: list[float] = []
        for _ in range(ROUNDS + 1):  # the first one chooses algorithms
            for name, step in steps.items():
                began = time.perf_counter()
                _number, low, high = next(batches)
                waits.append(time.perf_counter() - began)
                low_batch, high_batch = unit_batch(low, device), 2 * unit_batch(high, device) - 1
                began = time.perf_counter()
                step(low_batch, high_batch)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                times[name].append(time.perf_counter() - began)
        batches.close()
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    for name, taken in medians.items():
        ratio = medians["plain float32"] / taken
        print(f"{name:16} {1 / taken:8.2f} it/s   {ratio:5.2f} × plain phase 1")
    waiting = statistics.median(waits) / medians["phase 1"]
    print(f"waiting for data: {waiting:.1%} of a step of phase 1")


def plain_step(recipe: Recipe, device: torch.device) -> Callable[[Tensor, Tensor], None]:
    """Return a step of phase 1 as it is commonly written."""
    network = build_generator(recipe).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step(low: Tensor, high: Tensor) -> None:
        loss = F.mse_loss(network(low.contiguous()), high.contiguous())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def sampler_of_samples(folder: Path) -> CropSampler:
    """Return the paper's batches, of crops of scikit-image's own pictures."""
    images = folder / "images"
    images.mkdir()
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = getattr(samples, name)()
        for quarter in range(4):
            Image.fromarray(np.rot90(picture, quarter)).save(images / f"{name}-{quarter}.png")
    pack = open_pack(images, folder / "cache", smallest=96)
    return CropSampler(pack, batch=16, crop=96)


if __name__ == "__main__":
    main()
