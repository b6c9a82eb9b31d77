"""References to models: a few words by which any process on any computer finds the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from napari_srgan.store.checkpoint import Model
from napari_srgan.store.load import load_model
from napari_srgan.store.registry import list_models


@dataclass(frozen=True)
class ModelReference:
    """How a model is found again, and what tells whether it is the same.

    Attributes
    ----------
    model : str
        A name, or the path of a file.
    scale : int
        Upscaling factor.
    sha256 : str
        Of the file.
    dialect : str or None
        How another project's file is read.
    """

    model: str
    scale: int
    sha256: str
    dialect: str | None = None

    def load(self) -> Model:
        """Return the model, which each process loads once.

        Raises
        ------
        OSError, ValueError
            As :func:`napari_srgan.store.load.load_model` does; or if the file is another one here.
        """
        return _loaded(self)


@lru_cache(maxsize=4)
def _loaded(reference: ModelReference) -> Model:
    model = load_model(reference.model, scale=reference.scale, dialect=reference.dialect)
    if model.sha256 != reference.sha256:
        raise ValueError(
            f"The model {reference.model} is another file here than where the work was given out: "
            f"its digest is {model.sha256[:12]}, not {reference.sha256[:12]}."
        )
    return model


def referred(model: Model) -> Model | ModelReference:
    """Return a reference to a model if its name finds the very same; else the model."""
    if model.name not in list_models():
        return model
    try:
        found = load_model(model.name)
    except (OSError, ValueError):  # its file has gone, but the model is here
        return model
    if found.network is not model.network:
        return model
    return ModelReference(str(model.name), model.scale, model.sha256)
