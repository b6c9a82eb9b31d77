"""A run folder: what was asked for, on what, with what; and its generators made into models."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_srgan import __version__
from napari_srgan.files.atomic import written_whole
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.generative import either
from napari_srgan.training.config import Recipe, from_settings, settings_of
from napari_srgan.training.data.answers import RECORD
from napari_srgan.training.data.pack import Pack
from napari_srgan.training.run.checkpoints import Checkpoints, read_state
from napari_srgan.training.run.damaged import read_json

PHASES = ("pretrain", "adversarial")
_FORMER_FOLDERS = {"pretrain": "srresnet", "adversarial": "srgan"}  # until version 0.1
DESCRIBED = "run.json"
BEST = "best.pt"  # the generator that validation.best_by chooses
BEST_SCORE = "best.json"

# What may change when a run is gone on with: how long it is.
_CHANGEABLE = ("pretrain.steps", "adversarial.steps", "adversarial.drop_at")


class RunFolder:
    """The folder of one run: ``run.json``, and a folder for each phase.

    ``run.json`` holds settings, versions, seed, data digest and the source of VGG weights, and is
    written before the first step. A phase's folder holds its last checkpoints, the best generator,
    logs and panels.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def phase(self, name: str) -> Path:
        """Return the folder of a phase; a run of an earlier version keeps the one it has."""
        former = self.path / _FORMER_FOLDERS[name]
        return former if former.is_dir() else self.path / name

    def best(self, phase: str) -> dict[str, Any] | None:
        """Return the state that holds a phase's best generator, or None where there is none."""
        path = self.phase(phase) / BEST
        return read_state(path) if path.exists() else None

    def described(self) -> dict[str, Any]:
        """Return what ``run.json`` says.

        Raises
        ------
        OSError
            If there is none, and this is not the folder of a run; or it is damaged.
        """
        described = read_json(self.path / DESCRIBED)
        if described is None:
            raise FileNotFoundError(f"{self.path} is not the folder of a run: no {DESCRIBED}.")
        return described

    def has_begun(self) -> bool:
        """Tell whether there is a run in the folder."""
        return (self.path / DESCRIBED).exists()

    def recipe(self) -> Recipe:
        """Return the settings the run was begun with."""
        return from_settings(self.described()["settings"])

    def begin(
        self,
        recipe: Recipe,
        *,
        data: Path,
        pack: Pack,
        vgg: Mapping[str, str],
        weights: Path | None = None,
        teacher: Path | None = None,
    ) -> None:
        """Write down what this run is; if it has begun before, make sure that it is the same.

        ``weights`` is the model file that it starts from, ``teacher`` the one that it learns from,
        if it does.

        Raises
        ------
        ValueError
            If the folder holds a run with other settings, or on other images.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        text = {
            "settings": settings_of(recipe),
            "data": str(data),
            "data_digest": pack.digest,
            "images": len(pack.entries),
            "vgg": dict(vgg),
            "weights": digest_of(weights) if weights else "",
            "teacher": digest_of(teacher) if teacher else "",
            "shown_invented": _shows_invented(data, (weights, teacher)),
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "napari-srgan": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.processor() or platform.machine(),
        }
        path = self.path / DESCRIBED
        if (before := read_json(path)) is not None:
            self._refuse_another(before, text)
            text["began"] = before["began"]
        with written_whole(path) as part:
            part.write_text(json.dumps(text, indent=2), encoding="utf-8")

    def _refuse_another(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        settings = settings_of(self.recipe())  # with the defaults of what is newer than the run
        keys = (settings.keys() | now["settings"].keys()) - set(_CHANGEABLE)
        other = [
            f"{key} was {settings.get(key)!r} and is {now['settings'].get(key)!r}"
            for key in sorted(keys)
            if settings.get(key) != now["settings"].get(key)
        ]
        same_images = [before[key] == now[key] for key in ("data_digest", "images")]
        if not all(same_images):
            other.append(f"it is on other images ({before['data']}, {before['images']} of them)")
        if before["vgg"] != now["vgg"]:
            other.append(f"its VGG weights are {before['vgg']}")
        if before.get("weights", "") != now["weights"]:
            other.append("it started from other weights")
        if before.get("teacher", "") != now["teacher"]:
            other.append("it had another teacher")
        if other:
            raise ValueError(
                f"{self.path} holds another run: {'; '.join(other)}. Use another --out."
            )


def _shows_invented(data: Path, models: Iterable[Path | None]) -> bool | None:
    """Return whether a run begins with or learns from what invents detail; None if not known.

    Of images that a network answered nothing is known: their originals are not there.
    """
    known: bool | None = None if (data / RECORD).is_file() else False
    for model in filter(None, models):
        known = either(known, load_checkpoint(model).generative)
    return known


def digest_of(model: Path) -> str:
    """Return the sha256 of a model file, by which runs and registries name it."""
    return hashlib.sha256(model.read_bytes()).hexdigest()


def standing(run: RunFolder) -> str:
    """Return in a few lines where a run stands."""
    described, recipe = run.described(), run.recipe()
    lines = [
        f"{run.path}: begun {described['began']}, {described['images']} images of "
        f"{described['data']}"
    ]
    for phase, settings in zip(PHASES, (recipe.pretrain, recipe.adversarial), strict=True):
        if settings is None:
            continue
        paths = Checkpoints(run.phase(phase)).paths()
        step = int(paths[-1].stem) if paths else 0
        lines.append(f"{phase}: step {step:,} of {settings.steps:,} ({step / settings.steps:.0%})")
        if (score := read_json(run.phase(phase) / BEST_SCORE)) is not None:
            lines.append(
                f"    best: step {score['step']:,}, perceptual distance "
                f"{score['perceptual']:.4f}, PSNR {score['psnr']:.2f} dB on images held back"
            )
    return "\n".join(lines)
