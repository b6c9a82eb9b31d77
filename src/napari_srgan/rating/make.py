"""Making a session: originals are found and checked, and each method's versions computed."""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_srgan.files import Picture, write_picture
from napari_srgan.inference.run import iter_upscale_array
from napari_srgan.inference.settings import Progress, Settings, iter_mapped
from napari_srgan.rating.originals import Pixels, find_originals, read_original
from napari_srgan.rating.plan import (
    PLAN,
    Photo,
    Plan,
    Version,
    read_plan,
    version_path,
    versions_of,
    write_plan,
)
from napari_srgan.rating.ratings import HIGH, NEAREST
from napari_srgan.resampling import CONTROLS, SCALE, enlarge, shrink
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.load import load_model
from napari_srgan.wording import listed

log = logging.getLogger(__name__)

MOST_CALIBRATED = 20  # images, as in §3.3
_CALIBRATED_SHARE = 5  # without a folder of its own: one image in so many
_LARGEST = 8  # bits: of other images, the screen's black and white are the original's own


@dataclass(frozen=True)
class Request:
    """What a session is to rate.

    Attributes
    ----------
    images : Path
        A folder of originals, or of data sets: folders of originals.
    methods : tuple of str
        At least two of ``nearest``, ``bicubic``, ``HR``, names of models and paths of model files.
    calibration : Path, optional
        A folder of other originals to calibrate raters on. Without one, a fifth of ``images``,
        at most 20, are set apart for it at random, and are not rated.
    device : str
        Where models are run.
    """

    images: Path
    methods: tuple[str, ...]
    calibration: Path | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Making:
    """``done`` of ``total`` versions are made; of the next one, a ``share`` from 0 to 1."""

    done: int
    total: int
    share: float = 0.0


def iter_make(folder: Path, request: Request | None = None) -> Generator[Making, None, Plan]:
    """Make a session in a folder, or finish making the one that is there; yield progress.

    Everything is checked before the first version is computed. Versions that are there already
    are kept, so that a session whose making was stopped goes on where it was.

    Parameters
    ----------
    folder : Path
        The session's; it is made if need be.
    request : Request, optional
        What to rate; not needed, and not looked at, where the folder has a session.

    Returns
    -------
    Plan
        What is rated.

    Raises
    ------
    OSError
        If a folder or an image cannot be read, or a version not be written.
    ValueError
        If there are too few images or methods, images or models do not suit, or the session's
        files are damaged.
    """
    if (folder / PLAN).is_file():
        plan = read_plan(folder)
    elif request is None:
        raise ValueError("Choose images and methods: there is no session in the folder yet.")
    else:
        plan = yield from _iter_plan(request)
        write_plan(plan, folder)
    yield from _iter_versions(plan, folder, request.device if request else "auto")
    return plan


def _iter_plan(request: Request) -> Generator[Making, None, Plan]:
    """Check everything; yield once for each image and model, so that it can be stopped."""
    models = {}
    for spec in dict.fromkeys(request.methods):
        if spec not in (*CONTROLS, HIGH):
            models[spec] = load_model(spec)
            yield Making(0, 1)
    names = _names(request.methods, models)
    scale = _one_scale(list(models.values()))
    rated, calibrating = _parted(request)
    photos = []
    for data_set, path in (*rated, *calibrating):
        photos.append(_photo(data_set, path, scale))
        yield Making(0, 1)
    return Plan(
        scale,
        {model.name: _where(spec) for spec, model in models.items()},
        {model.name: model.sha256 for model in models.values()},
        versions_of(photos[len(rated) :], (NEAREST, HIGH)),
        versions_of(photos[: len(rated)], names),
    )


def _names(methods: Sequence[str], models: dict[str, Model]) -> tuple[str, ...]:
    """Return what methods are called in the ratings."""
    names = [str(models[spec].name) if spec in models else spec for spec in dict.fromkeys(methods)]
    if len(names) < 2:
        raise ValueError("Choose at least two methods to compare.")
    for name in names:
        if names.count(name) > 1 or (name in (*CONTROLS, HIGH) and name not in methods):
            raise ValueError(f"Two methods would be called {name}. Rename the model's file.")
    return tuple(names)


def _one_scale(models: Sequence[Model]) -> int:
    scales = {model.name: model.scale for model in models}
    if len(set(scales.values())) > 1:
        each = ", ".join(f"{name} by {scale}" for name, scale in scales.items())
        raise ValueError(f"The models enlarge by different factors ({each}). Rate them apart.")
    return next(iter(scales.values()), SCALE)


def _where(spec: str) -> str:
    """Return what a model is loaded by from any folder."""
    path = Path(spec).expanduser()
    return str(path.absolute()) if path.is_file() else str(spec)


def _parted(request: Request) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Return the originals to rate and those to calibrate on, which are others."""
    rated = find_originals(request.images)
    if request.calibration is None:
        if len(rated) < 2:
            raise ValueError(
                f"{request.images} has one image only: choose a folder of others to calibrate on."
            )
        count = min(MOST_CALIBRATED, max(1, len(rated) // _CALIBRATED_SHARE))
        apart = set(random.sample(range(len(rated)), count))
        return (
            [one for place, one in enumerate(rated) if place not in apart],
            [one for place, one in enumerate(rated) if place in apart],
        )
    others = find_originals(request.calibration)[:MOST_CALIBRATED]
    if both := {path.resolve() for _, path in rated} & {path.resolve() for _, path in others}:
        names = listed(sorted(path.name for path in both))
        raise ValueError(f"Calibrate on images that are not rated, too: {names}.")
    return rated, others


def _photo(data_set: str, path: Path, scale: int) -> Photo:
    high = read_original(path, scale)
    if high.dtype.itemsize * 8 <= _LARGEST:
        limits = (0.0, float(np.iinfo(high.dtype).max))
    else:
        low, top = float(high.min()), float(high.max())
        limits = (low, max(top, low + 1))
    return Photo(data_set, path.name, str(path.absolute()), limits)


def _iter_versions(plan: Plan, folder: Path, device: str) -> Iterator[Making]:
    """Compute the versions that are not there yet, original by original."""
    todo: dict[Photo, list[Version]] = {}
    for version in plan.versions:
        if not version_path(folder, version).is_file():
            todo.setdefault(version.photo, []).append(version)
    total = len(plan.versions)
    done = total - sum(map(len, todo.values()))
    yield Making(done, total)
    for photo, versions in todo.items():
        high = read_original(Path(photo.path), plan.scale)
        low = shrink(high, plan.scale)
        for version in versions:
            steps = _iter_pixels(version.method, low, high, plan, device)
            pixels = yield from iter_mapped(steps, partial(Making, done, total))
            target = version_path(folder, version)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_picture(target, Picture(pixels, rgb=pixels.ndim == 3))
            done += 1
            yield Making(done, total)


def _iter_pixels(
    method: str, low: Pixels, high: Pixels, plan: Plan, device: str
) -> Generator[float, None, Pixels]:
    """Compute one version, yielding what share of it is done."""
    if method == HIGH:
        return high
    if method in CONTROLS:
        return enlarge(low, plan.scale, CONTROLS[method])
    model = load_model(plan.models[method])
    if model.sha256 != plan.weights[method]:
        raise ValueError(
            f"The model {method} is another one than when the session was made. Bring the former "
            "back, or make a new session."
        )
    # Not in 16 bits: what is rated is the network, on every computer the same.
    settings = Settings(device=device, precision="float32")
    steps = iter_upscale_array(low, model, rgb=low.ndim == 3, settings=settings)

    def share(progress: Progress) -> float:
        if progress.note:
            log.warning("%s: %s", method, progress.note)
        return progress.done / progress.total

    pixels: Pixels = yield from iter_mapped(steps, share)
    return pixels
