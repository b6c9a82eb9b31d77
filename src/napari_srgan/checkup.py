"""Every model that is here, verified on every device: ``napari-srgan models --verify``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from napari_srgan.library import load_model
from napari_srgan.store import Fetch, Refuse, cache_folder, plan, registry
from napari_srgan.verification import iter_verify


@dataclass(frozen=True)
class Finding:
    """A line on a model: whether something is wrong with it here, and what."""

    wrong: bool
    text: str


def iter_checkup() -> Iterator[Finding]:
    """Yield what is found of each model on each device.

    Nothing is downloaded, except for a downloaded file that is damaged: it is fetched again, as at
    any use.
    """
    cache = cache_folder()
    for weights in registry():
        match plan(weights, cache, offline=False):
            case Fetch():
                yield Finding(False, f"{weights.name}: not downloaded, so not verified.")
            case Refuse(reason):
                yield Finding(True, f"{weights.name}: {reason}")
            case _:
                yield from _of_file(weights.name)


def _of_file(name: str) -> Iterator[Finding]:
    try:
        model = load_model(name)
    except (OSError, ValueError) as error:
        yield Finding(True, f"{name}: {error}")
        return
    if model.self_test is None:
        yield Finding(False, f"{name}: its file has no self-test.")
        return
    for outcome in iter_verify(model):
        yield Finding(not outcome.passed, str(outcome))
