"""What a training run does, as frozen values: the only source of defaults, checks and help.

The defaults are the paper's; a recipe is what it changes of them, or of another recipe, its base.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from napari_srgan.training.citations import citations_of, heading_of
from napari_srgan.training.data.degradations.settings import ORDERS, Degradation
from napari_srgan.wording import did_you_mean

log = logging.getLogger(__name__)

NORMALIZE = ("dtype", "auto")
OPTIMIZERS = ("adam", "muon")
PIXEL_LOSSES = ("mse", "l1", "luminance", "psnr")
CONTENT_LOSSES = (
    *PIXEL_LOSSES,
    *("vgg22", "vgg54", "vgg16-22", "vgg16-53", "lpips-vgg"),
)
BATCH_NORM = ("train", "frozen")
BEST_BY = ("perceptual", "psnr")
TAKEN = ("spread", "first")
RATES = ("network", "layer")
# Families that can start as interpolation.
STARTED = ("srresnet", "srcnn", "edsr", "mdsr")
PRECISIONS = ("auto", "float32", "bfloat16")
SCHEDULES = ("constant", "cosine", "halving")
# v5 §3.2: brings the VGG loss to the scale of the MSE; it enters eq. 5 squared, as about 0.006.
VGG_SCALE_PAPER = 1 / 12.75
ADVERSARIAL_WEIGHT = 1e-3  # eq. 3


# Settings of these names' ends are numbers above 0.
_ABOVE_ZERO = (
    *("steps", "batch", "crop", "busiest_of", "rate", "halve_every", "vgg_scale"),
    *("discriminator_features", "validation.images"),
)
_LARGEST_SEED = 2**63 - 1  # what torch takes


def _setting(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Network:
    """The generator: a family, and the arguments of its constructor.

    Attributes
    ----------
    family : str
        One of :data:`napari_srgan.models.families.FAMILIES`.
    arguments : mapping of str to int, float or bool
        Those that are given differ from the family's defaults; once made, all are here.

    Raises
    ------
    ValueError
        If there is no such family, or an argument or its type is none of its constructor's.
    """

    family: str = "srresnet"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = family_arguments(self.family)
        given = {}
        for name, value in self.arguments.items():
            if name not in known:
                raise ValueError(
                    f"Unknown setting 'network.{name}'{did_you_mean(name, list(known))}"
                )
            given[name] = _typed(f"network.{name}", value, type(known[name]))
            if type(value) is int:
                _above_zero(f"network.{name}", value)
        object.__setattr__(self, "arguments", {**known, **given})

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return int(self.arguments["scale"])

    @property
    def scales(self) -> tuple[int, ...]:
        """All upscaling factors that are trained."""
        all_scales = str(self.arguments.get("all_scales", self.scale))
        return tuple(int(each) for each in all_scales.split() if each.isdecimal())

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.arguments["channels"])


def family_arguments(family: str) -> dict[str, Any]:
    """Return a family's constructor arguments and their defaults.

    Raises
    ------
    ValueError
        If there is no such family.
    """
    # torch takes a second to import: only where a network is described.
    from napari_srgan.models.families import FAMILIES

    if family not in FAMILIES:
        raise ValueError(f"network.family must be one of {', '.join(FAMILIES)}; got {family!r}.")
    parameters = inspect.signature(FAMILIES[family]).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


@dataclass(frozen=True)
class Data:
    """What a step is shown (§3.2)."""

    batch: int = _setting(16, "Crops a step, each of another image (§3.2).")
    crop: int = _setting(96, "Side of the high-resolution crops (§3.2: 96 × 96).")
    busiest_of: int = _setting(
        1, "Places tried for each crop; the one with most texture is taken (paper: 1)."
    )
    degradation: str = _setting(
        "bicubic", "How low-resolution images are made (§3.2: bicubic).", tuple(ORDERS)
    )
    normalize: str = _setting(
        "dtype",
        "Black and white of 16-bit images: the dtype's, or, with auto, each image's own.",
        NORMALIZE,
    )


@dataclass(frozen=True)
class Pretrain:
    """Phase 1: the generator by a content loss alone."""

    steps: int = _setting(1_000_000, "Updates (§3.2: 10^6).")
    optimizer: str = _setting("adam", "Optimizer (§3.2: Adam).", OPTIMIZERS)
    learning_rate: float = _setting(1e-4, "Step size, the highest of the schedule (§3.2).")
    beta1: float = _setting(0.9, "Adam's β₁ (§3.2).")
    beta2: float = _setting(0.999, "Adam's β₂ (not in the paper: Adam's default).")
    schedule: str = _setting("constant", "After the warm-up (§3.2: constant).", SCHEDULES)
    warmup: int = _setting(0, "Steps over which the learning rate rises from 0.")
    halve_every: int = _setting(200_000, "Steps after which schedule=halving halves the rate.")
    content_loss: str = _setting("mse", "Content loss (eq. 4 or 5).", CONTENT_LOSSES)
    start: str = _setting("paper", "Initial weights.", ("paper", "interpolation"))
    batch_norm: str = _setting(
        "train", "Batch norms: by the batch, or by frozen statistics (paper: train).", BATCH_NORM
    )
    l1_weight: float = _setting(
        0.0, "Weight of the mean absolute error beside it, white being 1 (paper: 0)."
    )
    mesh_weight: float = _setting(
        0.0, "Weight of patterns of the scale's period, weak ones too (paper: 0)."
    )
    variation_weight: float = _setting(
        0.0, "Weight of total variation (§3.4: 2e-8 for SRResNet-VGG22, else 0)."
    )
    rate_of: str = _setting(
        "network",
        "Whose rate it is: the network's, or each layer's, in parts of its size at the start.",
        RATES,
    )
    most_gradient: float = _setting(
        0.0, "Norm that gradients are scaled down to where it is more; 0: never (paper: 0)."
    )
    teacher_share: float = _setting(
        0.0, "Share of the --teacher's output in the target (paper: 0)."
    )
    recursive_share: float = _setting(
        0.0, "Share of DRCN's recursions in the loss, at first; it falls to 0 (Kim et al., α)."
    )


@dataclass(frozen=True)
class Adversarial:
    """Phase 2: the generator of phase 1 against a discriminator."""

    steps: int = _setting(200_000, "Updates of each network (§3.2: 10^5 and 10^5 more).")
    learning_rate: float = _setting(1e-4, "Adam's step size, of both networks (§3.2).")
    drop_at: int = _setting(100_000, "Step from which on the learning rate is a tenth (§3.2).")
    beta1: float = _setting(0.9, "Adam's β₁ (§3.2).")
    beta2: float = _setting(0.999, "Adam's β₂ (not in the paper: Adam's default).")
    content_loss: str = _setting("vgg54", "Content loss (§3.4).", CONTENT_LOSSES)
    batch_norm: str = _setting(
        "train", "The generator's batch norms, as in phase 1 (paper: train).", BATCH_NORM
    )
    adversarial_weight: float = _setting(
        ADVERSARIAL_WEIGHT, "Weight of the adversarial loss (eq. 3)."
    )
    grid_weight: float = _setting(
        0.0, "Weight of the loss that patterns of the scale's period make (paper: 0)."
    )
    overshoot_weight: float = _setting(
        0.0, "Weight of what is brighter or darker than the original nearby (paper: 0)."
    )
    random_translation: int = _setting(
        0, "Pixels, at most, that crops are moved by before the discriminator (paper: 0)."
    )
    discriminator_features: int = _setting(
        64, "Feature maps of the discriminator's first convolution (Fig. 4: n64)."
    )


@dataclass(frozen=True)
class Validation:
    """How images that are held back choose the best generator (not in the paper)."""

    images: int = _setting(16, "Of those that DIV2K sets apart, the most that are validated on.")
    take: str = _setting("spread", "Which of them: spread evenly, or the first.", TAKEN)
    best_by: str = _setting(
        "perceptual",
        "Of phase 1: the least perceptual distance, as in phase 2, or the highest PSNR.",
        BEST_BY,
    )
    restore_best: bool = _setting(
        False, "Whether phase 2 begins with phase 1's best generator, and export takes the best."
    )


@dataclass(frozen=True)
class Recipe:
    """A whole run: both phases, or the first alone."""

    network: Network = field(default_factory=Network)
    data: Data = Data()
    degradation: Degradation = field(default_factory=Degradation)
    pretrain: Pretrain = Pretrain()
    adversarial: Adversarial | None = None
    validation: Validation = Validation()
    vgg_scale: float = _setting(
        VGG_SCALE_PAPER, "Factor of VGG features before they are compared (§3.2: 1/12.75)."
    )
    vgg_precision: str = _setting(
        "float32", "Precision of networks in losses (paper: float32).", PRECISIONS
    )
    ema: float = _setting(0.999, "Decay of the averaged generator (not in the paper).")
    precision: str = _setting("auto", "Precision.", PRECISIONS)
    seed: int = _setting(0, "Seed of every random choice.")

    def __post_init__(self) -> None:
        for name, text, value in _described(self):
            choices = text.get("choices", ())
            if choices and value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
            _check_number(name, value)
        if self.data.crop % self.network.scale:
            raise ValueError(
                f"data.crop must be a multiple of the scale {self.network.scale}; "
                f"got {self.data.crop}."
            )
        self._check_degradation()
        self._check_pretrain(self.pretrain)
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be from 0 up to 1; got {self.ema}.")
        if self.adversarial is not None:
            self._check_adversarial(self.adversarial)

    def _check_degradation(self) -> None:
        if self.data.degradation != "bicubic" and len(self.network.scales) > 1:
            raise ValueError(
                "A network of several scales learns from data.degradation=bicubic; got "
                f"{self.data.degradation}."
            )
        compresses = self.data.degradation != "bicubic" and self.degradation.compression_share > 0
        if compresses and self.network.channels not in (1, 3):
            raise ValueError(
                f"JPEG and WebP have 1 or 3 channels; the network has {self.network.channels}: set "
                "degradation.compression_share=0."
            )

    def _check_pretrain(self, phase: Pretrain) -> None:
        if phase.content_loss == "lpips-vgg" and self.data.crop < 32:
            raise ValueError(f"LPIPS takes crops of 32 pixels or more; got {self.data.crop}.")
        if not 0 <= phase.warmup < phase.steps:
            raise ValueError(f"pretrain.warmup must be within 0 … steps; got {phase.warmup}.")
        if not 0 <= phase.teacher_share <= 1:
            raise ValueError(
                f"pretrain.teacher_share must be from 0 to 1; got {phase.teacher_share}."
            )
        if not 0 <= phase.recursive_share <= 1:
            raise ValueError(
                f"pretrain.recursive_share must be from 0 to 1; got {phase.recursive_share}."
            )
        if phase.recursive_share and self.network.family != "drcn":
            raise ValueError(
                f"pretrain.recursive_share is for the family drcn; got {self.network.family}."
            )
        if phase.start == "interpolation" and self.network.family not in STARTED:
            raise ValueError(
                f"pretrain.start=interpolation is for the families {', '.join(STARTED)}; got "
                f"{self.network.family}."
            )

    def _check_adversarial(self, phase: Adversarial) -> None:
        if self.data.crop % 16:
            raise ValueError(f"The discriminator takes crops in sixteens; got {self.data.crop}.")
        if not 0 <= phase.random_translation < self.data.crop:
            raise ValueError(
                "adversarial.random_translation must be from 0 up to the crop; got "
                f"{phase.random_translation}."
            )


def _check_number(name: str, value: Any) -> None:
    """Refuse a number that is out of its setting's bounds; NaN is out of all."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value}.")
    if name.endswith(_ABOVE_ZERO):
        _above_zero(name, value)
    elif name.endswith(("beta1", "beta2")) and not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 up to 1; got {value}.")
    elif name == "seed" and value > _LARGEST_SEED:
        raise ValueError(f"seed must be at most {_LARGEST_SEED}; got {value}.")
    elif value < 0:
        raise ValueError(f"{name} must be 0 or more; got {value}.")


def _above_zero(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be above 0; got {value}.")


def _described(part: Any, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yield every setting's dotted name, its description and its value."""
    if isinstance(part, Network):
        yield (
            f"{prefix}family",
            {"help": "Family of the generator (§2.1.1: SRResNet)."},
            part.family,
        )
        for name, value in part.arguments.items():
            yield f"{prefix}{name}", {"help": _ARGUMENTS.get(name, "")}, value
        return
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if dataclasses.is_dataclass(value):
            yield from _described(value, f"{prefix}{item.name}.")
        elif value is not None:
            yield f"{prefix}{item.name}", item.metadata, value


_ARGUMENTS = {
    "blocks": "Residual blocks (SRResNet, §3.2: B = 16).",
    "features": "Feature maps of hidden layers (SRResNet, Fig. 4: n64).",
    "channels": "Channels of the images.",
    "scale": "Upscaling factor (§3.1: r = 4).",
    "batch_norm": "Whether SRResNet's blocks normalise (Fig. 4: they do).",
    "residual_scaling": "Factor of EDSR's residual branches (Lim et al. 2017, §3.3).",
    "all_scales": "Factors that MDSR has weights for (Lim et al. 2017, §3.4).",
    "first": "Side of SRCNN's first kernel (Dong et al. 2015, §4.1).",
    "second": "Side of its second kernel (Dong et al. 2015, §4.3.2).",
    "third": "Side of its third kernel (Dong et al. 2015, §4.1).",
    "mapped": "Feature maps of the second layer of SRCNN and ESPCN.",
    "recursions": "How often DRCN's convolution is applied (Kim et al. 2016, §4.2).",
    "growth": "Feature maps that a convolution of a dense block adds.",
}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return all settings by dotted names, such as ``pretrain.steps``."""
    return {name: value for name, _text, value in _described(recipe)}


def every_setting(family: str = "srresnet") -> dict[str, tuple[type, str]]:
    """Return the type and the description of every setting that a recipe can have."""
    whole = Recipe(network=Network(family), adversarial=Adversarial())
    return {name: (type(value), _help(text, value)) for name, text, value in _described(whole)}


def _help(text: Mapping[str, Any], value: Any) -> str:
    choices = f" {', '.join(text['choices'])}." if text.get("choices") else ""
    return f"{text['help']}{choices} [{value}]"


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship with the package."""
    folder = files("napari_srgan.training") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


@dataclass(frozen=True)
class Resolved:
    """A setting of a recipe, and what set it.

    Attributes
    ----------
    name : str
        Dotted.
    value : object
        As it is used.
    source : str
        The recipe, of the chain of bases, that sets it; ``default`` where none does.
    text : str
        Where the recipe has it from, in its own words; for a default, what it is, with the section
        of the paper.
    """

    name: str
    value: Any
    source: str
    text: str


def resolve(recipe: str | Path, changes: Mapping[str, Any] | None = None) -> list[Resolved]:
    """Return all settings of a recipe, with what set each of them.

    Parameters and errors are those of :func:`load_recipe`.
    """
    values, origins = _with_bases(recipe, ())
    changes = _told(changes or {})
    made = from_settings(values | changes)
    origins |= dict.fromkeys(changes, _Origin("--set"))
    resolved = []
    for name, text, value in _described(made):
        origin = origins.get(name, _Origin("default"))
        resolved.append(Resolved(name, value, origin.source, origin.citation or text["help"]))
    return resolved


@dataclass(frozen=True)
class _Origin:
    """What sets a setting, and what is said there of where its value is from."""

    source: str
    citation: str = ""


def headings(recipe: str | Path) -> list[str]:
    """Return what a recipe and its bases say of themselves, each after its name.

    Raises
    ------
    ValueError
        If there is no such recipe.
    """
    found, bases = [], []
    while recipe and str(recipe) not in bases:
        bases.append(str(recipe))
        text = _text_of(recipe)
        if heading := heading_of(text):
            found.append(f"{recipe}: {heading}")
        base = _parsed(recipe, text).get("base")
        recipe = _base_of(recipe, base) if base else ""
    return found


def load_recipe(recipe: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe, some of its settings replaced.

    Parameters
    ----------
    recipe : str or Path
        The name of a shipped recipe, or a TOML file with the same keys. Its ``base``, if it has
        one, is the recipe that it differs from: a name, or a file beside it.
    changes : mapping, optional
        Settings by dotted names.

    Raises
    ------
    ValueError
        If there is no such recipe, a base leads back to it, or a key or a value is none that it can
        have.
    """
    values, _origins = _with_bases(recipe, ())
    return from_settings(values | _told(changes or {}))


def _with_bases(
    recipe: str | Path, above: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, _Origin]]:
    """Return a recipe's settings on its base's, and which recipe set each."""
    name = str(recipe)
    if name in above:
        raise ValueError(f"The recipe {name} is its own base: {' → '.join([*above, name])}.")
    text = _text_of(recipe)
    values = _parsed(recipe, text)
    base = values.pop("base", "")
    if empty := [table for table, value in values.items() if value == {}]:
        raise ValueError(
            f"{name}: the table [{empty[0]}] is empty. Set something, or leave it out."
        )
    own, cited = _told(_flat(values)), current_names(citations_of(text))
    origins = {key: _Origin(name, cited.get(key, "")) for key in own}
    if not base:
        return own, origins
    inherited, before = _with_bases(_base_of(recipe, base), (*above, name))
    if own.get("network.family", inherited.get("network.family")) != inherited.get(
        "network.family"
    ):  # another constructor, with other arguments
        inherited = {key: inherited[key] for key in inherited if not key.startswith("network.")}
    return inherited | own, before | origins


def _base_of(recipe: str | Path, base: Any) -> str | Path:
    """Return the recipe that another one names as its base: shipped, or a file beside it."""
    if not isinstance(base, str):
        raise ValueError(f"{recipe}: base takes the name of a recipe; got {base!r}.")  # noqa: TRY004
    return Path(recipe).parent / base if base.endswith(".toml") else base


def _text_of(recipe: str | Path) -> str:
    """Return the text of a recipe's file."""
    path = Path(recipe)
    if path.suffix == ".toml":
        return path.read_text(encoding="utf-8")
    if str(recipe) in recipe_names():
        return (files("napari_srgan.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")
    raise ValueError(
        f"No recipe named {str(recipe)!r}{did_you_mean(str(recipe), recipe_names())} "
        f"Recipes: {', '.join(recipe_names())}; or name a .toml file."
    )


def _parsed(recipe: str | Path, text: str) -> dict[str, Any]:
    """Return what a recipe's TOML says."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{recipe} is not valid TOML: {error}.") from error


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


# Names until version 0.1, read for one version more.
_TABLES = {"srresnet": "pretrain", "srgan": "adversarial"}
_NAMES = {
    "optimiser": "optimizer",
    "loss": "content_loss",
    "content": "content_loss",
    "norms": "batch_norm",
    "shift": "random_translation",
}
_NORMS = {"batch": "train", "running": "frozen"}


def _today(name: str) -> str:
    """Return a setting's name, given one that it has or had."""
    table, dot, key = name.partition(".")
    return f"{_TABLES[table]}.{_NAMES.get(key, key)}" if dot and table in _TABLES else name


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names they have today, with a warning of each that was renamed."""
    for name in settings:
        if (now := _today(name)) != name:
            log.warning("The setting %s is called %s today; please change it.", name, now)
    return current_names(settings)


def current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, which may be an earlier version's, under the names they have today.

    Raises
    ------
    ValueError
        If one is given under both names.
    """
    today: dict[str, Any] = {}
    for name, value in settings.items():
        now = _today(name)
        if now in today or (now != name and now in settings):
            raise ValueError(f"{name} is {now} today, and both are given. Leave out {name}.")
        former_norms = now != name and now.endswith(".batch_norm")
        today[now] = _NORMS.get(value, value) if former_norms else value
    return today


def from_settings(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with these settings, by dotted names; others have their defaults.

    Raises
    ------
    ValueError
        If a name, a type or a value is none that a recipe can have.
    """
    settings = current_names(settings)
    family = _typed("network.family", settings.get("network.family", Network.family), str)
    known = every_setting(family)
    parts: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"Unknown setting {name!r}{did_you_mean(name, list(known))}")
        table, _, key = name.rpartition(".")
        parts.setdefault(table, {})[key] = _typed(name, value, known[name][0])
    network = parts.pop("network", {})
    network.pop("family", None)
    kinds: dict[str, type] = {
        "data": Data,
        "degradation": Degradation,
        "pretrain": Pretrain,
        "adversarial": Adversarial,
        "validation": Validation,
    }
    nested = {part: kinds[part](**values) for part, values in parts.items() if part}
    return Recipe(network=Network(family, network), **nested, **parts.get("", {}))


def _typed(name: str, value: Any, expected: type) -> Any:
    """Return a value of the expected type; a whole number stands for a real one."""
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ValueError(f"{name} takes {expected.__name__}; got {value!r}.")
    return value
