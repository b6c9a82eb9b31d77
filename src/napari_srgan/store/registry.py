"""The registry of published models, and the models that are listed for a person to choose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from napari_srgan.wording import did_you_mean

_BARE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_JSON_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "purpose": (str,),
    "file": (str, type(None)),
    "urls": (list,),
    "sha256": (str,),
    "size": (int,),
    "licence": (str,),
    "training_data": (str,),
    "scale": (int,),
    "scales": (list,),
    "metrics": (dict,),
    "family": (str,),
    "generative": (bool, type(None)),
    "uncertainty": (list, type(None)),
}

DEFAULT_MODEL = "srresnet-x4"
MODEL_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".pth.tar")  # of files that may be models


@dataclass(frozen=True)
class Weights:
    """One entry of the registry: what some weights are, and where and how to get them.

    Parameters
    ----------
    name
        The model's name, ``srresnet-x4``.
    purpose
        One line on what it is for, as the widget shows it.
    file
        Name of the file inside ``napari_srgan.weights``, or None where it is not bundled.
    urls
        Mirrors in the order in which they are tried, ``http`` or ``https``.
    sha256, size
        Digest (64 lower-case hexadecimal digits) and length in bytes of the file.
    licence, training_data
        Terms of use, and what the weights were trained on.
    scale
        Factor from `low` to `upscaled`.
    scales
        All factors that the weights are for, `scale` among them.
    metrics
        Data set to metric to value: ``{"Set5": {"psnr": 32.05}}``.
    family
        The generator's, ``srresnet``.
    generative
        Whether the model draws texture that is not in the image, as a GAN does; None if that is not
        known.
    uncertainty
        Factor and power by which the error to expect follows from the spread over eight
        orientations, both as parts of the range from black to white; None where that was not
        measured. :mod:`napari_srgan.trust.uncertainty` has the formula.

    Raises
    ------
    ValueError
        If a value is malformed; every fault is named.
    """

    name: str
    purpose: str
    file: str | None
    urls: tuple[str, ...]
    sha256: str
    size: int
    licence: str
    training_data: str
    scale: int
    scales: tuple[int, ...]
    metrics: Mapping[str, Mapping[str, float]] = field(hash=False)
    family: str
    generative: bool | None
    uncertainty: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            raise ValueError(f"Weights {self.name!r}: {'; '.join(faults)}.")


def _faults(weights: Weights) -> Iterator[str]:
    if not _BARE_NAME.fullmatch(weights.name):
        yield "the name must be letters, digits, '.', '_' and '-'"
    if weights.file is not None and not _BARE_NAME.fullmatch(weights.file):
        yield f"file must be a bare file name, not {weights.file!r}"
    if weights.file is None and not weights.urls:
        yield "give a bundled file or at least one URL"
    for url in weights.urls:
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            yield f"only http and https URLs can be fetched, not {url!r}"
    if not _SHA256.fullmatch(weights.sha256):
        yield f"sha256 must be 64 lower-case hexadecimal digits, not {weights.sha256!r}"
    if weights.size < 1:
        yield f"size must be at least 1 byte, not {weights.size}"
    if weights.scale < 1:
        yield f"scale must be at least 1, not {weights.scale}"
    if weights.scale not in weights.scales or not all(_is_scale(each) for each in weights.scales):
        yield f"scales must be factors with scale among them, not {list(weights.scales)!r}"
    if weights.uncertainty is not None and not _is_law(weights.uncertainty):
        yield f"uncertainty must be two numbers above 0, not {list(weights.uncertainty)!r}"
    for name, values in weights.metrics.items():
        if not isinstance(values, Mapping) or any(
            type(value) not in (int, float) for value in values.values()
        ):
            yield f"metrics of {name!r} must map each metric to a number, not {values!r}"


def _is_scale(number: object) -> bool:
    return type(number) is int and number >= 1


def _is_law(numbers: tuple[object, ...]) -> bool:
    positive = (type(number) in (int, float) and float(str(number)) > 0 for number in numbers)
    return len(numbers) == 2 and all(positive)


def parse_registry(text: str) -> tuple[Weights, ...]:
    """Read the JSON text of a registry: a list of entries with exactly the keys of `Weights`.

    Raises
    ------
    ValueError
        If the text is not such a list, a key is missing or unknown, a value has the wrong kind or
        is malformed, or two entries share a name.
    """
    entries = json.loads(text)
    if type(entries) is not list:
        raise ValueError(f"The registry must be a list of entries; got {type(entries).__name__}.")
    weights = tuple(_parse_entry(place, entry) for place, entry in enumerate(entries))
    names = [one.name for one in weights]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Names in the registry must differ; more than once: {', '.join(twice)}.")
    return weights


def _parse_entry(place: int, values: object) -> Weights:
    if not isinstance(values, dict):
        raise ValueError(f"Entry {place} of the registry must be an object; got {values!r}.")  # noqa: TRY004
    label = f"Entry {place} of the registry ({values.get('name', 'no name')!r})"
    if missing := [key for key in _JSON_KINDS if key not in values]:
        raise ValueError(f"{label} lacks {', '.join(missing)}.")
    if unknown := [key for key in values if key not in _JSON_KINDS]:
        raise ValueError(f"{label} has unknown keys: {', '.join(unknown)}.")
    for key, kinds in _JSON_KINDS.items():
        # Exact kinds, because a JSON true would pass for the integer 1.
        if type(values[key]) not in kinds:
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise ValueError(f"{label}: {key} must be {wanted}, not {values[key]!r}.")
    law = values["uncertainty"]
    lists = {key: tuple(values[key]) for key in ("urls", "scales")}
    return Weights(**{**values, **lists, "uncertainty": None if law is None else tuple(law)})


def bundled_folder() -> Path:
    """Return the folder of the registry and of the weights that are installed with it."""
    return Path(str(resources.files("napari_srgan.weights")))


@cache
def registry() -> tuple[Weights, ...]:
    """Return the weights this installation knows, in the order in which to offer them."""
    return parse_registry((bundled_folder() / "registry.json").read_text(encoding="utf-8"))


def entry(name: str) -> Weights:
    """Return the weights called `name`.

    Raises
    ------
    ValueError
        If there are none; the message has the nearest name and all names.
    """
    known = {weights.name: weights for weights in registry()}
    if name in known:
        return known[name]
    raise ValueError(
        f"There is no model named {name!r}{did_you_mean(name, known)} Models: {', '.join(known)}."
    )


def faithful_at(scale: int) -> Weights | None:
    """Return the first bundled weights that enlarge by a factor and invent nothing, if any."""
    fitting = (
        weights
        for weights in registry()
        if weights.generative is False and weights.file and scale in weights.scales
    )
    return next(fitting, None)


class ModelInfo(str):
    """A model that can be chosen: its name, with what is known of it without loading it.

    It is a string, the name, and can be given wherever a model's name can.

    Attributes
    ----------
    scale : int
        Upscaling factor.
    scales : tuple of int
        All factors that the weights are for: ``load_model(name, scale=2)``.
    family : str
        The generator's, ``srresnet``.
    purpose : str
        One line on what it is for.
    generative : bool or None
        Whether it draws texture that is not in the image, so that fine detail is no evidence; None
        if that is not known. Ask for faithful ones with ``is False``.
    licence : str
        Terms of use of the weights; empty where they are not known.
    size : int
        Bytes of the weights' file.
    bundled : bool
        Whether it is here without a download.
    """

    scale: int
    scales: tuple[int, ...]
    family: str
    purpose: str
    generative: bool | None
    licence: str
    size: int
    bundled: bool

    def __new__(
        cls,
        name: str,
        *,
        scale: int,
        scales: tuple[int, ...],
        family: str,
        purpose: str,
        generative: bool | None,
        licence: str,
        size: int,
        bundled: bool,
    ) -> ModelInfo:
        """Make the record of a name."""
        info = super().__new__(cls, name)
        info.scale, info.scales = scale, scales
        info.family, info.purpose = family, purpose
        info.generative, info.licence = generative, licence
        info.size, info.bundled = size, bundled
        return info

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:  # to be copied and pickled
        return (str(self),), dict(vars(self))

    @classmethod
    def of(cls, weights: Weights) -> ModelInfo:
        """Return the record of an entry of the registry."""
        return cls(
            weights.name,
            scale=weights.scale,
            scales=weights.scales,
            family=weights.family,
            purpose=weights.purpose,
            generative=weights.generative,
            licence=weights.licence,
            size=weights.size,
            bundled=weights.file is not None,
        )

    def renamed(self, name: str) -> ModelInfo:
        """Return the same under another name."""
        return ModelInfo(name, **vars(self))


own_models: dict[str, tuple[Path, ModelInfo]] = {}  # files that were added in this session


def list_models() -> list[ModelInfo]:
    """Return all models that can be chosen by name, with what is known of each.

    Those of the registry come first, then files added in this session. They print as names, and
    are strings: ``[name for name in list_models() if name.generative is False]``.
    """
    return [*map(ModelInfo.of, registry()), *(info for _, info in own_models.values())]


def info_of(name: str) -> ModelInfo:
    """Return what is known of a listed model.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    return own_models[name][1] if name in own_models else ModelInfo.of(entry(name))


def own_file(name: str) -> Path | None:
    """Return the file that was added in this session under a name, if any."""
    return own_models[name][0] if name in own_models else None


def add_own(path: Path, info: ModelInfo) -> ModelInfo:
    """Add a file to the models of this session and return it under the name it is chosen by.

    A file that is there already keeps its name; a name that is taken gets a number.
    """
    name, copies = str(info), 2
    for other, (known, _) in own_models.items():
        if known == path:
            name = other
            break
    else:
        while name in list_models():
            name, copies = f"{info} ({copies})", copies + 1
    own_models[name] = (path, info.renamed(name))
    return own_models[name][1]
