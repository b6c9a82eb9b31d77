"""Options: what a network's tensors do not tell of it, kept among them as one more tensor.

Which activation has no weights, whether an output goes through tanh, what units an image is put in:
no shape says it. A buffer of JSON text does, and stays with the weights wherever they are copied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

KEY = "options"
_LONGEST = 4096  # bytes

Option: TypeAlias = int | float | str | bool


def encoded_options(family: str, options: Mapping[str, Option]) -> Tensor:
    """Return a family's options as a tensor, ``(n,)`` of uint8: the bytes of a JSON object."""
    text = json.dumps({"family": family, **options}, sort_keys=True)
    return torch.tensor(list(text.encode()), dtype=torch.uint8, device="cpu")


def options_of(
    state: Mapping[str, Tensor], family: str, defaults: Mapping[str, Option]
) -> dict[str, Any] | None:
    """Return the options in a state dict of this family; None if it is of no or another family.

    Parameters
    ----------
    state : mapping of str to Tensor
        The state dict.
    family : str
        Of the network that asks.
    defaults : mapping of str to int, float, str or bool
        All options that the family has, and what they are where the tensor does not say.

    Raises
    ------
    ValueError
        If the options are of this family and are none that it has.
    """
    tensor = state.get(KEY)
    if tensor is None or tensor.dtype != torch.uint8 or tensor.ndim != 1 or len(tensor) > _LONGEST:
        return None
    try:
        given = json.loads(bytes(tensor.tolist()))
    except ValueError:
        return None
    if not isinstance(given, dict) or given.pop("family", None) != family:
        return None
    for name, value in given.items():
        if name not in defaults or type(value) is not type(defaults[name]):
            raise ValueError(f"{name} = {value!r} is no option of a network of family {family}")
    return {**defaults, **given}
