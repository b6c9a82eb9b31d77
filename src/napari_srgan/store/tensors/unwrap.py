"""Find the generator in what a checkpoint holds: inside wrappers, and beside other networks.

Training programs keep a network under names of their own: ``{"params_ema": …}``, ``netG.``,
``_orig_mod.module.``. Such a name is told by its words, one vocabulary for entries of dictionaries
and for prefixes of tensors; what is left has the names that the network's own class gave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_srgan.wording import listed

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_AVERAGE = frozenset({"ema", "average", "averaged", "avg"})
_GENERATOR = frozenset({"g", "gen", "generator"})
_PLAIN = frozenset(
    {
        *("state", "dict", "params", "weights", "checkpoint", "runner"),
        *("model", "net", "network", "module", "online", "orig", "mod"),
    }
)
# Of what stands beside a generator and has no part in what it makes of an image.
_COMPANION = frozenset(
    {
        *("d", "dis", "disc", "discriminator", "discriminators", "critic"),
        *("loss", "losses", "criterion", "perceptual", "vgg", "lpips", "metric", "metrics"),
    }
)
_AVERAGING_COUNTS = frozenset({"n_averaged", "steps"})  # torch's AveragedModel, MMEngine's
_DEEPEST = 8  # wrappers in each other; a pickle may contain itself


@dataclass(frozen=True)
class Unwrapped:
    """A network's tensors under their own names, and how they were found.

    Attributes
    ----------
    state : dict of str to Tensor
        The state dict.
    chosen : tuple of str
        What it was taken out of, from the outside in: entries as ``ema_state_dict``, prefixes with
        their dot, ``_orig_mod.``.
    averaged : bool
        Whether it is known to be a running average of the trained weights.
    left_out : tuple of str
        Networks beside it, and counts: ``discriminator.``, ``n_averaged``.
    """

    state: dict[str, Tensor]
    chosen: tuple[str, ...] = ()
    averaged: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Name:
    """The name of an entry or a prefix, and which kind of wrapper it is by its words."""

    text: str
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Name:
        return cls(text, frozenset(word.lower() for word in _WORD.findall(text)))

    @property
    def is_wrapper(self) -> bool:
        return bool(self.words) and self.words <= _AVERAGE | _GENERATOR | _PLAIN

    @property
    def is_companion(self) -> bool:
        return bool(self.words & _COMPANION)

    @property
    def rank(self) -> tuple[bool, bool]:
        """How much it says that this is what to use: an average does, then a generator."""
        return bool(self.words & _AVERAGE), bool(self.words & _GENERATOR)


def unwrap(content: object) -> Unwrapped:
    """Return the generator's tensors in the content of a checkpoint, under their own names.

    Running averages of the weights are preferred to the weights themselves, and generators to what
    is not called so. Discriminators, losses and counts beside a generator are left out.

    Parameters
    ----------
    content : object
        What a file holds: a state dict, or dictionaries around one. What is already a state dict
        of plain names is returned as it is.

    Raises
    ------
    ValueError
        If there is no state dict, it has other things than tensors in it, or it cannot be told
        which of several networks is meant. The message is a sentence's end, after the file's name.
    """
    entry, entries = _descend(content)
    state = _tensors_of(entry)
    prefixes: list[str] = []
    left_out: list[str] = []
    for _ in range(_DEEPEST):
        prefix, beside = _prefix_of(state)
        if not prefix:
            break
        prefixes.append(prefix)
        left_out += beside
        state = {
            key.removeprefix(prefix): value
            for key, value in state.items()
            if key.startswith(prefix)
        }
    chosen = (*entries, *prefixes)
    averaged = any(_Name.of(name).rank[0] for name in chosen)
    return Unwrapped(
        state=state,
        chosen=chosen,
        averaged=averaged or not _AVERAGING_COUNTS.isdisjoint(left_out),
        left_out=tuple(left_out),
    )


def best_entry(names: Iterable[str]) -> str | None:
    """Return which of some names a generator's tensors are most probably kept under, if any."""
    # An optimizer's state_dict has an entry ``state``.
    around = [n for n in map(_Name.of, names) if n.is_wrapper and not n.words < {"state", "dict"}]
    return _best(around)[0].text if around else None


def _descend(content: object) -> tuple[object, list[str]]:
    """Follow the entries of nested dictionaries that wrap a network; return it and their names."""
    path: list[str] = []
    while isinstance(content, Mapping) and len(path) < _DEEPEST:
        names = [_Name.of(key) for key in content if isinstance(key, str)]
        around = [name for name in names if name.is_wrapper and _has_tensors(content[name.text])]
        if not around:
            break
        name = _the_one(_best(around))
        content = content[name.text]
        path.append(name.text)
    return content, path


def _has_tensors(value: object) -> bool:
    """Tell whether this is a dictionary with tensors, or with such dictionaries."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor):
            return True
        if isinstance(one, Mapping) and id(one) not in seen:
            seen.add(id(one))
            waiting += one.values()
    return False


def _best(names: list[_Name]) -> list[_Name]:
    highest = max(name.rank for name in names)
    return [name for name in names if name.rank == highest]


def _the_one(names: list[_Name]) -> _Name:
    if len(names) > 1:
        raise ValueError(
            f"holds several networks, and nothing says which is meant: "
            f"{listed([name.text for name in names])}. Save the generator's state_dict() alone."
        )
    return names[0]


def _tensors_of(content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"holds {type(content).__name__}, not a generator's tensors.")
    wrong = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(
            f"holds more than tensors: {listed(wrong)}. Save the generator's state_dict() alone."
        )
    return {str(key): value.detach() for key, value in content.items()}


def _prefix_of(state: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """Return the prefix that wraps a network's names, or none, and what stands beside it."""
    beginnings = {key.partition(".")[0]: None for key in state if "." in key}
    best = [name for name in map(_Name.of, beginnings) if name.is_wrapper]
    best = _best(best) if best else []
    says_so = bool(best) and any(best[0].rank)
    if not best or (len(best) > 1 and not says_so):
        return "", []
    name = _the_one(best)
    prefix = f"{name.text}."
    # What goes on with a number is a sequence of layers, and its name one of the network's own.
    if any(key.startswith(prefix) and key[len(prefix) :][:1].isdigit() for key in state):
        return "", []
    others = list(_beside(state, prefix))
    odd = [other for other in others if not _is_harmless(other, name, state)]
    if not odd:
        return prefix, others
    if not says_so:  # a part of a network that happens to be called net or model
        return "", []
    raise ValueError(
        f"holds tensors beside those of {prefix[:-1]}: {listed(odd)}. What they do to an image is "
        "not known. Save the generator's state_dict() alone."
    )


def _beside(state: Mapping[str, Tensor], prefix: str) -> Iterator[str]:
    """Yield the other prefixes of a state dict, each once, and its keys that have none."""
    seen = {prefix}
    for key in state:
        first, dot, _ = key.partition(".")
        if first + dot not in seen:
            seen.add(first + dot)
            yield first + dot


def _is_harmless(other: str, chosen: _Name, state: Mapping[str, Tensor]) -> bool:
    """Tell whether what stands beside a network has no part in what it makes of an image."""
    if not other.endswith("."):  # a whole number counts something
        return state[other].numel() == 1 and not state[other].is_floating_point()
    name = _Name.of(other)
    averaged, generator = chosen.rank
    is_the_same_unaveraged = averaged and name.is_wrapper and name.rank == (False, generator)
    return name.is_companion or is_the_same_unaveraged
