"""Loading a model by name, by path or from a dropped file."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from napari_srgan.store.cache import entry, locate, registry
from napari_srgan.store.checkpoint import Model, load_checkpoint
from napari_srgan.store.registry import (
    MODEL_SUFFIXES,
    ModelInfo,
    add_own,
    faithful_at,
    list_models,
    own_file,
)
from napari_srgan.wording import did_you_mean, printable


def load_model(
    model: str | Path | Model,
    *,
    scale: int | None = None,
    dialect: str | None = None,
    cache: Path | None = None,
) -> Model:
    """Return a model, loading and verifying it the first time.

    Parameters
    ----------
    model : str, Path or Model
        A name that :func:`list_models` gives, the path of a checkpoint, or a loaded model. A
        checkpoint may be another project's.
    scale : int, optional
        Upscaling factor, of a model that has several.
    dialect : str, optional
        How another project's checkpoint is to be read, where its tensors allow several ways; the
        message says which.
    cache : Path, optional
        The folder for downloaded weights; see :func:`napari_srgan.store.cache.cache_folder`.

    Raises
    ------
    ValueError
        If no model has this name, it has no such scale, or the file is not a generator
        (``CheckpointError``).
    OSError
        If there is no such file, or the weights are missing and cannot be downloaded.
    """
    loaded = _load(model, dialect, cache)
    if scale is None:
        return loaded
    try:
        return loaded.at_scale(scale)
    except ValueError as error:
        fitting = [each for each in list_models() if scale in each.scales]
        if not fitting:
            raise
        raise ValueError(f"{error} Models that do: {', '.join(fitting)}.") from error


def _load(model: str | Path | Model, dialect: str | None, cache: Path | None) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, str) and (own := own_file(model)) is not None:
        return _load_file(own, model)
    if isinstance(model, str) and model in {weights.name for weights in registry()}:
        weights = entry(model)
        loaded = _load_file(locate(weights, cache=cache), weights.name)
        # The registry's word holds, which is also what is shown before anything is loaded.
        return replace(loaded, generative=weights.generative, uncertainty=weights.uncertainty)
    path = Path(model).expanduser().absolute()
    if path.name.lower().endswith(MODEL_SUFFIXES) or path.is_file():
        return _load_file(path, None, dialect)
    raise ValueError(
        f"There is no model named {str(model)!r}{_nearest(str(model))} "
        f"Models: {', '.join(list_models())}; or give the path of a checkpoint."
    )


def file_of(model: str, *, cache: Path | None = None) -> Path:
    """Return the file of a model, given its name or a path; it is downloaded if it has to be.

    Raises
    ------
    OSError, ValueError
        As :func:`load_model`, but for what only reading the file can tell.
    """
    if (own := own_file(model)) is not None:
        return own
    if model in {weights.name for weights in registry()}:
        return locate(entry(model), cache=cache)
    path = Path(model).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model named {model!r}, and no such file{_nearest(model)}"
        )
    return path


def _nearest(name: str) -> str:
    """Return how a sentence ends that names an unknown model: with those that may be meant."""
    models = list_models()
    scale = re.fullmatch(r"(?i)[x×]?\s*(\d+)\s*[x×]?", name)
    if scale is None:
        return did_you_mean(name, models)
    fitting = [model for model in models if int(scale[1]) in model.scales]
    if fitting:
        return f"; models that enlarge by {scale[1]}: {', '.join(fitting)}."
    scales = sorted({each for model in models for each in model.scales})
    return (
        f", and none enlarges by {scale[1]}: there is {', '.join(f'×{each}' for each in scales)}."
    )


def faithful_counterpart(model: Model, named: str | Path | Model | None = None) -> Model | None:
    """Return what a model's detail can be compared with: a bundled faithful one of its scale.

    None if the model is known to be faithful itself, or if there is none. What is named instead is
    taken at the model's scale where it has that, else as it is, for others to refuse.
    """
    if named is not None:
        other = load_model(named)
        return other.at_scale(model.scale) if model.scale in other.scales else other
    if model.generative is False:
        return None
    weights = faithful_at(model.scale)
    return None if weights is None else load_model(weights.name, scale=model.scale)


def remember(path: Path) -> str:
    """Add a checkpoint to the models of this session and return the name it is chosen by.

    That is the file's, without its suffix, whatever the checkpoint calls itself.

    Raises
    ------
    OSError, ValueError
        If it cannot be loaded; see :func:`load_model`.
    """
    path = path.absolute()
    model = _load_file(path, None)
    info = ModelInfo(
        printable(path.stem),
        scale=model.scale,
        scales=model.scales,
        family=model.network.family,
        purpose=f"Your own model, from {printable(path)}.",
        generative=model.generative,
        licence=model.metadata.get("licence", ""),
        size=path.stat().st_size,
        bundled=False,
    )
    return add_own(path, info)


def forget_loaded() -> None:
    """Let go of the models that are kept for as long as their files do not change."""
    _load_unchanged.cache_clear()


def _load_file(path: Path, name: str | None, dialect: str | None = None) -> Model:
    """Load a checkpoint, once for as long as the file does not change."""
    if not path.is_file():
        return load_checkpoint(path, name)  # which says so
    status = path.stat()
    return _load_unchanged(path, name, dialect, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _load_unchanged(
    path: Path, name: str | None, dialect: str | None, _changed: int, _size: int
) -> Model:
    return load_checkpoint(path, name, dialect=dialect)
