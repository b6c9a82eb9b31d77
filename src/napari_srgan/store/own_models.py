"""The models that a person has added, kept in a file from one session to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from napari_srgan.files.atomic import written_whole
from napari_srgan.store import registry
from napari_srgan.store.registry import ModelInfo

log = logging.getLogger(__name__)

FILE = "own-models.json"
_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "path": (str,),
    "scale": (int,),
    "scales": (list,),
    "family": (str,),
    "purpose": (str,),
    "generative": (bool, type(None)),
    "licence": (str,),
    "size": (int,),
}


def keep_own_models(folder: Path) -> None:
    """Write down the models that were added, for the next session.

    Parameters
    ----------
    folder : Path
        That of :func:`napari_srgan.store.cache.cache_folder`; made if need be.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    entries = [
        {"name": str(info), "path": str(path), **{key: getattr(info, key) for key in _of_info()}}
        for path, info in registry.own_models.values()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / FILE) as part:
        part.write_text(json.dumps(entries, indent=1), encoding="utf-8")


def recall_own_models(folder: Path) -> None:
    """Add the models of earlier sessions whose files are still there, without loading them.

    A list that cannot be read is logged and left as it is.
    """
    try:
        entries = json.loads((folder / FILE).read_text(encoding="utf-8"))
        infos = [_parsed(entry) for entry in entries]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        log.warning("The list of own models %s cannot be read.", folder / FILE, exc_info=True)
        return
    known = {path for path, _ in registry.own_models.values()}
    for path, info in infos:
        if path not in known and path.is_file():
            registry.add_own(path, info)


def forget_own_model(name: str, folder: Path) -> None:
    """Take a model that was added off the list; its file stays.

    Raises
    ------
    ValueError
        If no such model was added.
    OSError
        If the list cannot be written.
    """
    if registry.own_models.pop(name, None) is None:
        raise ValueError(f"{name!r} is none of the models that were added.")
    keep_own_models(folder)


def _of_info() -> list[str]:
    return [key for key in _KINDS if key not in ("name", "path")]


def _parsed(entry: Any) -> tuple[Path, ModelInfo]:
    entry = {"scales": [entry["scale"]], **entry}  # earlier versions did not write them
    for key, kinds in _KINDS.items():
        # Exact kinds, because a JSON true would pass for the integer 1.
        if type(entry[key]) not in kinds:
            raise ValueError(f"{key} must be {kinds[0].__name__}, not {entry[key]!r}.")
    known = {key: entry[key] for key in _of_info()}
    if not all(type(scale) is int for scale in known["scales"]):
        raise ValueError(f"scales must be whole numbers, not {known['scales']!r}.")
    known["scales"] = tuple(known["scales"])
    return Path(entry["path"]), ModelInfo(entry["name"], **known, bundled=False)
