"""Model files: a run's generator, or the interpolation of two networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from napari_srgan.files.atomic import check_place
from napari_srgan.inference.verify import verify
from napari_srgan.models.generator import Generator
from napari_srgan.store.checkpoint import load_checkpoint, rounded_to_half, save_checkpoint
from napari_srgan.store.generative import as_metadata, either, generative_by
from napari_srgan.store.self_test import make_self_test
from napari_srgan.training.config import PIXEL_LOSSES, Recipe
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.folder import PHASES, RunFolder, digest_of
from napari_srgan.training.run.trainers import build_network

SUFFIX = ".safetensors"


def export_generator(
    run: RunFolder, target: Path, name: str, *, which: str, half: bool = False
) -> dict[str, Any]:
    """Write a run's generator as a model file, and return its entry for the registry.

    The file says how it was trained and holds a self-test, which has been passed when this returns.

    Parameters
    ----------
    run : RunFolder
        The run. The generator is of its last phase that has such a one.
    target : Path
        The safetensors file to write.
    name : str
        How the model is called.
    which : {"average", "plain", "best"}
        The averaged generator, the trained one itself, or the best on the images held back.
    half : bool
        Whether to store the weights of convolutions in 16 bits.

    Raises
    ------
    OSError
        If there is no such generator, or the file cannot be written, or this computer does not
        pass its self-test.
    ValueError
        If a weight is too large for 16 bits, or the target has another suffix.
    """
    check_target(target)
    described, recipe = run.described(), run.recipe()
    phase, step, state = _generator(run, which)
    described["data"] = Path(described["data"]).name  # where it lay is nobody's business
    described["settings"] = _in_use(described["settings"], recipe)
    shown = described.pop("shown_invented", False)  # runs of before it was written down
    network = build_network(recipe)
    network.load_state_dict(state)
    metadata = {
        "name": name,
        "family": network.family,
        "phase": phase,
        "generator": which,
        "step": str(step),
        **as_metadata(_invents(phase, recipe, shown)),
        **{key: json.dumps(value) for key, value in described.items()},
    }
    entry = _write(target, network, metadata, half)
    return entry | {"training_data": f"{described['images']} images of {described['data']}"}


def export_interpolated(
    faithful: Path, sharp: Path, target: Path, name: str, *, share: float, half: bool = False
) -> dict[str, Any]:
    """Interpolate two networks of one structure; write the result, return its registry entry.

    Every weight is ``(1 - share) · faithful + share · sharp``. Between a network that was trained
    for fidelity and one trained on from it against a discriminator, artefacts vanish before
    sharpness does (Wang et al. 2018, "ESRGAN", arXiv:1809.00219, §3.4, network interpolation).

    Parameters
    ----------
    faithful, sharp : Path
        Model files.
    target : Path
        The safetensors file to write.
    name : str
        How the model is called.
    share : float
        Of the second, 0 to 1.
    half : bool
        Whether to store the weights of convolutions in 16 bits.

    Raises
    ------
    OSError, ValueError
        As :func:`export_generator`; also if the two are of different structure, or the share is
        out of range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is from 0, the first model, to 1, the second; got {share}.")
    check_target(target)
    first, second = load_checkpoint(faithful), load_checkpoint(sharp)
    one, other = first.network.state_dict(), second.network.state_dict()
    unlike = [key for key in one.keys() | other.keys() if _shape(one, key) != _shape(other, key)]
    if unlike:
        raise ValueError(
            f"{faithful} and {sharp} are different networks: {min(unlike)} is not the same in both."
        )
    network = first.network
    network.load_state_dict(
        {
            key: value.lerp(other[key], share) if value.is_floating_point() else value
            for key, value in one.items()
        }
    )
    metadata = {
        "name": name,
        **as_metadata(either(first.generative, second.generative)),
        "between": json.dumps([digest_of(faithful), digest_of(sharp)]),
        "share": str(share),
    }
    return _write(target, network, metadata, half)


def check_target(target: Path) -> None:
    """Make sure, before any work, that a model file can be written.

    Raises
    ------
    ValueError
        If its name is not that of a model file.
    OSError
        If there is no such folder, or it is one itself.
    """
    if target.suffix != SUFFIX:
        raise ValueError(
            f"{target.name} does not end in {SUFFIX}, which is what is written. Call it "
            f"{target.with_suffix(SUFFIX).name}."
        )
    check_place(target)


def _invents(phase: str, recipe: Recipe, shown: bool | None) -> bool | None:
    """Return whether a generator invents detail.

    By pixels it learns what is right on average. By features, or against a discriminator, it learns
    what looks right, and by whatever it was shown it learns to do as that does.
    """
    content = recipe.pretrain.content_loss
    return either(phase == "adversarial" or content not in PIXEL_LOSSES, shown)


def _in_use(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return a run's settings without those of degradations where nothing is degraded."""
    drawn = reduction_of(recipe).is_drawn
    return {key: settings[key] for key in settings if drawn or not key.startswith("degradation.")}


def _shape(state: Mapping[str, torch.Tensor], key: str) -> torch.Size | None:
    return state[key].shape if key in state else None


def _write(
    target: Path, network: Generator, metadata: Mapping[str, str], half: bool
) -> dict[str, Any]:
    """Write a model file with its self-test, run that, and return the registry's entry."""
    if half:
        network = rounded_to_half(network)
    save_checkpoint(target, network, metadata, make_self_test(network), half=half)
    _verify(target)
    return {
        "name": metadata["name"],
        "purpose": "",
        "file": target.name,
        "urls": [],
        "sha256": digest_of(target),
        "size": target.stat().st_size,
        "licence": "",
        "training_data": "",
        "scale": network.scale,
        "metrics": {},
        "family": network.family,
        "generative": generative_by(metadata),
        "uncertainty": None,
    }


def _generator(run: RunFolder, which: str) -> tuple[str, int, dict[str, Any]]:
    """Return the phase and step that a generator is of, and its weights."""
    for phase in reversed(PHASES):
        state = _kept(run, phase, which)
        if state is not None:
            weights = state["average"]["network"] if which == "average" else state["generator"]
            return phase, state["step"], weights
    if which == "best":
        raise FileNotFoundError(
            f"{run.path} has no best generator: nothing was held back, or not yet validated on."
        )
    raise FileNotFoundError(f"{run.path} has no checkpoint yet.")


def _kept(run: RunFolder, phase: str, which: str) -> dict[str, Any] | None:
    """Return what a phase has kept of a generator, if anything."""
    return run.best(phase) if which == "best" else Checkpoints(run.phase(phase)).latest()


def _verify(path: Path) -> None:
    """Load a model file and run its self-test."""
    model = load_checkpoint(path)
    if model.network.channels not in (1, 3):  # only those of images are run by this package
        return
    outcome = verify(model, torch.device("cpu"), torch.float32)
    if not outcome.passed:
        raise OSError(f"{path} was written, but fails its self-test: {outcome}")
