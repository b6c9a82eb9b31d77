"""What a training run does, as frozen values: the only source of defaults, checks and help."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

CONTENT_LOSSES = ("mse", "l1", "luminance", "psnr", "vgg22", "vgg54")
# "batch" as the paper trains; "running" holds the statistics, as at test time, which suits a
# network that is trained on.
NORMS = ("batch", "running")
# v5 §3.2: brings the VGG loss to the scale of the MSE; it enters eq. 5 squared, as about 0.006.
VGG_SCALE_PAPER = 1 / 12.75
ADVERSARIAL_WEIGHT = 1e-3  # eq. 3


def _setting(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Network:
    """The generator (Fig. 4)."""

    blocks: int = _setting(16, "Residual blocks (§3.2: B = 16).")
    features: int = _setting(64, "Feature maps (Fig. 4: n64).")
    channels: int = _setting(3, "Channels of the images.")
    scale: int = _setting(4, "Upscaling factor (§3.1: r = 4).")


@dataclass(frozen=True)
class Data:
    """What a step is shown (§3.2)."""

    batch: int = _setting(16, "Crops a step, each of another image (§3.2).")
    crop: int = _setting(96, "Side of the high-resolution crops (§3.2: 96 × 96).")


@dataclass(frozen=True)
class SRResNetPhase:
    """Phase 1: the generator by a content loss alone."""

    steps: int = _setting(1_000_000, "Updates (§3.2: 10^6).")
    optimiser: str = _setting("adam", "What moves the weights (§3.2: Adam).", ("adam", "muon"))
    learning_rate: float = _setting(1e-4, "Step size, the highest of the schedule (§3.2).")
    beta1: float = _setting(0.9, "Adam's β₁ (§3.2).")
    beta2: float = _setting(0.999, "Adam's β₂ (not in the paper: Adam's default).")
    schedule: str = _setting("constant", "After the warm-up.", ("constant", "cosine"))
    warmup: int = _setting(0, "Steps over which the learning rate rises from 0.")
    loss: str = _setting("mse", "Content loss (eq. 4 or 5).", CONTENT_LOSSES)
    start: str = _setting("paper", "How the weights begin.", ("paper", "interpolation"))
    norms: str = _setting("batch", "What batch norms normalise by.", NORMS)
    teacher_share: float = _setting(
        0.0, "Share of the --teacher's answers in what is learned (paper: 0)."
    )


@dataclass(frozen=True)
class SRGANPhase:
    """Phase 2: the generator of phase 1 against a discriminator."""

    steps: int = _setting(200_000, "Updates of each network (§3.2: 10^5 and 10^5 more).")
    learning_rate: float = _setting(1e-4, "Adam's step size, of both networks (§3.2).")
    drop_at: int = _setting(100_000, "Step from which on the learning rate is a tenth (§3.2).")
    beta1: float = _setting(0.9, "Adam's β₁ (§3.2).")
    beta2: float = _setting(0.999, "Adam's β₂ (not in the paper: Adam's default).")
    content: str = _setting("vgg54", "Content loss (§3.4).", CONTENT_LOSSES)
    norms: str = _setting("batch", "What the generator's batch norms normalise by.", NORMS)
    adversarial_weight: float = _setting(
        ADVERSARIAL_WEIGHT, "Weight of the adversarial loss (eq. 3)."
    )
    grid_weight: float = _setting(
        0.0, "Weight of the loss that patterns of the scale's period make (paper: 0)."
    )
    overshoot_weight: float = _setting(
        0.0, "Weight of what is brighter or darker than the original nearby (paper: 0)."
    )
    shift: int = _setting(
        0, "Pixels, at most, that crops are moved by, at random, before they are judged (paper: 0)."
    )


@dataclass(frozen=True)
class Recipe:
    """A whole run: both phases, or the first alone."""

    network: Network = Network()
    data: Data = Data()
    srresnet: SRResNetPhase = SRResNetPhase()
    srgan: SRGANPhase | None = None
    vgg_scale: float = _setting(VGG_SCALE_PAPER, "Factor of VGG features before they are compared.")
    ema: float = _setting(0.999, "Decay of the averaged generator, which is kept beside the plain.")
    precision: str = _setting("auto", "Arithmetic.", ("auto", "float32", "bfloat16"))
    seed: int = _setting(0, "Where every random choice begins.")

    def __post_init__(self) -> None:
        for name, text, value in _described(self):
            choices = text.get("choices", ())
            if choices and value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
            if name.endswith(("steps", "batch", "crop", "blocks", "features", "rate", "channels")):
                _above_zero(name, value)
        if self.data.crop % self.network.scale:
            raise ValueError(
                f"data.crop must be a multiple of the scale {self.network.scale}; "
                f"got {self.data.crop}."
            )
        if not 0 <= self.srresnet.warmup < self.srresnet.steps:
            raise ValueError(
                f"srresnet.warmup must be within 0 … steps; got {self.srresnet.warmup}."
            )
        if not 0 <= self.srresnet.teacher_share <= 1:
            raise ValueError(
                f"srresnet.teacher_share must be from 0 to 1; got {self.srresnet.teacher_share}."
            )
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be from 0 up to 1; got {self.ema}.")
        if self.srgan is not None and self.data.crop % 16:
            raise ValueError(f"The discriminator takes crops in sixteens; got {self.data.crop}.")
        if self.srgan is not None and not 0 <= self.srgan.shift < self.data.crop:
            raise ValueError(f"srgan.shift must be from 0 up to the crop; got {self.srgan.shift}.")


def _above_zero(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be above 0; got {value}.")


def _described(part: Any, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yield every setting's dotted name, its description and its value."""
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if dataclasses.is_dataclass(value):
            yield from _described(value, f"{prefix}{item.name}.")
        elif value is not None:
            yield f"{prefix}{item.name}", item.metadata, value


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return all settings by dotted names, such as ``srresnet.steps``."""
    return {name: value for name, _text, value in _described(recipe)}


def every_setting() -> dict[str, tuple[type, str]]:
    """Return the type and the description of every setting that a recipe can have."""
    whole = Recipe(srgan=SRGANPhase())
    return {name: (type(value), _help(text, value)) for name, text, value in _described(whole)}


def _help(text: Mapping[str, Any], value: Any) -> str:
    choices = f" {', '.join(text['choices'])}." if text["choices"] else ""
    return f"{text['help']}{choices} [{value}]"


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship with the package."""
    folder = files("napari_srgan.training") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(recipe: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe, some of its settings replaced.

    Parameters
    ----------
    recipe : str or Path
        The name of a shipped recipe, or a TOML file with the same keys.
    changes : mapping, optional
        Settings by dotted names.

    Raises
    ------
    ValueError
        If there is no such recipe, or a key or a value is none that it can have.
    """
    path = Path(recipe)
    if path.suffix == ".toml":
        text = path.read_text(encoding="utf-8")
    elif str(recipe) in recipe_names():
        text = (files("napari_srgan.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")
    else:
        raise ValueError(
            f"No recipe named {str(recipe)!r}{_nearest(str(recipe), recipe_names())} "
            f"Recipes: {', '.join(recipe_names())}; or name a .toml file."
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{recipe} is not valid TOML: {error}.") from error
    return from_settings(_flat(values) | dict(changes or {}))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def from_settings(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with these settings, by dotted names; others have their defaults.

    Raises
    ------
    ValueError
        If a name, a type or a value is none that a recipe can have.
    """
    known = every_setting()
    parts: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"Unknown setting {name!r}{_nearest(name, list(known))}")
        parts.setdefault(name.rpartition(".")[0], {})[name.rpartition(".")[2]] = _typed(
            name, value, known[name][0]
        )
    kinds = {"network": Network, "data": Data, "srresnet": SRResNetPhase, "srgan": SRGANPhase}
    nested = {part: kinds[part](**values) for part, values in parts.items() if part}
    return Recipe(**nested, **parts.get("", {}))


def _typed(name: str, value: Any, expected: type) -> Any:
    """Return a value of the expected type; a whole number stands for a real one."""
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ValueError(f"{name} takes {expected.__name__}; got {value!r}.")
    return value


def _nearest(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {match[0]!r}?" if match else "."
