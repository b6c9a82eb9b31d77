"""Shapes of tensors by the names of modules: what a network's sizes are read off."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

MOST_MODULES = 512  # of a sequence; a file may claim any number


class Shapes:
    """The shapes of a state dict's tensors, by module.

    A missing tensor has the shape that is usual: sizes are read all the same, and whoever builds
    the network of these sizes finds out that it is missing.

    Parameters
    ----------
    state : mapping of str to Tensor
        The state dict.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._shapes = {key: tuple(value.shape) for key, value in state.items()}

    def convolution(self, module: str) -> tuple[int, int, int]:
        """Return the outputs, the inputs and the kernel's side of a convolution.

        It may be in two parts, ``depthwise`` and ``pointwise``.
        """
        outputs, inputs, *_ = self._kernel(f"{module}.weight", f"{module}.pointwise.weight")
        side = self._kernel(f"{module}.weight", f"{module}.depthwise.weight")[-1]
        return outputs, max(1, inputs), side

    def _kernel(self, *keys: str) -> tuple[int, ...]:
        found = [self._shapes[key] for key in keys if len(self._shapes.get(key, ())) == 4]
        return found[0] if found else (64, 64, 3, 3)

    def has(self, module: str, tensor: str = "") -> bool:
        """Return whether a module has a tensor of this name, or any."""
        return any(key.startswith(f"{module}.") and key.endswith(tensor) for key in self._shapes)

    def numbers(self, key: str) -> int | None:
        """Return how many numbers a vector has; None where there is no such vector."""
        shape = self._shapes.get(key)
        return shape[0] if shape is not None and len(shape) == 1 else None

    def activation(self, module: str, otherwise: str) -> str:
        """Return the name of the activation with a module's slopes; where it has none, the other.

        See :func:`napari_srgan.models.layers.choices.activation`.
        """
        slopes = self.numbers(f"{module}.weight")
        if slopes is None:
            return otherwise
        return "prelu" if slopes == 1 else "prelu-channel"

    def count(self, sequence: str) -> int:
        """Return how many modules a sequence has.

        Raises
        ------
        ValueError
            If there are more than any network has.
        """
        places = (re.match(rf"{re.escape(sequence)}\.(\d+)\.", key) for key in self._shapes)
        count = max((int(place[1]) + 1 for place in places if place), default=0)
        if count > MOST_MODULES:
            raise ValueError(f"{sequence} has {count} modules; at most {MOST_MODULES} are possible")
        return count
