"""Find the file a model's weights are in: bundled, cached, or fetched, and always verified.

`plan` looks and decides; `locate` and `fetch` do.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import pooch

from napari_srgan.store.download import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    DownloadError,
    Progress,
    by_hand,
    download,
)
from napari_srgan.store.registry import Weights, bundled_folder, entry, registry

__all__ = [
    "CACHE_VARIABLE",
    "OFFLINE_VARIABLE",
    "DownloadError",
    "Fetch",
    "Present",
    "Progress",
    "Refuse",
    "Weights",
    "cache_folder",
    "entry",
    "fetch",
    "fetch_file",
    "is_offline",
    "locate",
    "plan",
    "registry",
]

CACHE_VARIABLE = "NAPARI_SRGAN_CACHE"
OFFLINE_VARIABLE = "NAPARI_SRGAN_OFFLINE"

logger = logging.getLogger(__name__)


def cache_folder(preferred: Path | None = None) -> Path:
    """Return the folder in which fetched weights are kept; it need not exist yet.

    The environment variable ``NAPARI_SRGAN_CACHE`` wins, so that a cluster's job script can
    overrule a stored preference; then `preferred`; then the system's folder for caches.
    """
    chosen = os.environ.get(CACHE_VARIABLE) or preferred or pooch.os_cache("napari-srgan")
    return Path(chosen).expanduser().absolute()


def is_offline() -> bool:
    """Return whether ``NAPARI_SRGAN_OFFLINE`` forbids downloads: set, and not to ``0``."""
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


@dataclass(frozen=True)
class Present:
    """The file is at `path` and has the right size; its digest is yet to be checked."""

    path: Path


@dataclass(frozen=True)
class Fetch:
    """The file must be fetched from one of `urls` to `target`."""

    urls: tuple[str, ...]
    target: Path


@dataclass(frozen=True)
class Refuse:
    """The file cannot be had, for a `reason` that is meant for the user."""

    reason: str


def plan(weights: Weights, cache: Path, *, offline: bool) -> Present | Fetch | Refuse:
    """Decide where the file of `weights` comes from, by looking at names and sizes alone.

    Parameters
    ----------
    weights
        The wanted entry.
    cache
        The folder of fetched files, from `cache_folder`.
    offline
        Whether downloads are forbidden.

    Returns
    -------
    Present or Fetch or Refuse
        The bundled file is preferred to the cached one, and that to a download.
    """
    path = _path(weights, cache)
    if path.is_file():
        size = path.stat().st_size
        if size == weights.size:
            return Present(path)
        return _replace(weights, path, f"{size} bytes, not {weights.size}", offline=offline)
    if not weights.urls:
        return Refuse(
            f"The file {path} of {weights.name} is missing from this installation. "
            "Reinstall napari-srgan."
        )
    if offline:
        return Refuse(
            f"{weights.name} is not in {cache}, and {OFFLINE_VARIABLE} forbids fetching it. "
            f"Unset the variable. {_by_hand(weights, path)}"
        )
    return Fetch(weights.urls, path)


def _path(weights: Weights, cache: Path) -> Path:
    if weights.file is not None:
        bundled = bundled_folder() / weights.file
        if bundled.is_file() or not weights.urls:
            return bundled
    return _cached(weights, cache)


def _cached(weights: Weights, cache: Path) -> Path:
    # The digest in the name lets two versions of the plugin share one cache.
    return cache / f"{weights.name}-{weights.sha256[:8]}.safetensors"


def _replace(weights: Weights, path: Path, fault: str, *, offline: bool) -> Fetch | Refuse:
    """Decide what becomes of a file at `path` that is not what the registry says."""
    damaged = f"The file {path} of {weights.name} is damaged ({fault})."
    if path.parent == bundled_folder():
        return Refuse(f"{damaged} Reinstall napari-srgan.")
    if offline:
        hint = f"{OFFLINE_VARIABLE} forbids fetching it again: unset the variable."
        return Refuse(f"{damaged} {hint} {_by_hand(weights, path)}")
    return Fetch(weights.urls, path)


def _by_hand(weights: Weights, target: Path) -> str:
    return by_hand(weights.urls, target, sha256=weights.sha256, size=weights.size)


def locate(
    weights: str | Weights,
    *,
    cache: Path | None = None,
    progress: bool | Progress = False,
    timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
) -> Path:
    """Return the path of a file with exactly the bytes the registry promises.

    A bundled file needs no network, a cached one is not fetched again, and a damaged cached one
    is removed and fetched anew.

    Parameters
    ----------
    weights
        An entry of the registry, or its name.
    cache
        The preferred cache folder; see `cache_folder`.
    progress, timeout
        As for `fetch`.

    Raises
    ------
    ValueError
        If no weights have this name.
    DownloadError
        If no mirror gave the file.
    OSError
        If a bundled file is missing or damaged, a download is needed but forbidden, or the cache
        cannot be written.
    """
    wanted = entry(weights) if isinstance(weights, str) else weights
    folder, offline = cache_folder(cache), is_offline()
    step = plan(wanted, folder, offline=offline)
    if isinstance(step, Present):
        digest = pooch.file_hash(step.path)
        if digest != wanted.sha256:
            fault = f"SHA-256 {digest}, not {wanted.sha256}"
            step = _replace(wanted, step.path, fault, offline=offline)
    match step:
        case Present(path):
            return path
        case Fetch(_, target):
            if target.is_file():
                logger.warning("Removing the damaged file %s; it is fetched again.", target)
                target.unlink(missing_ok=True)
            return fetch(wanted, folder, progress=progress, timeout=timeout)
        case Refuse(reason):
            raise OSError(reason)


def fetch(
    weights: Weights,
    cache: Path,
    *,
    progress: bool | Progress = False,
    timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
) -> Path:
    """Download the file of `weights` into `cache`, whatever is there already, and verify it.

    Parameters
    ----------
    weights
        The entry; its mirrors are tried once each, in order.
    cache
        The folder of fetched files, from `cache_folder`; made if need be.
    progress
        True for a bar on standard error, or an object that is told of the bytes received. What
        its ``update`` raises, a ValueError apart, ends the download: the way to cancel one.
    timeout
        Seconds to wait for a connection, and for the next bytes.

    Returns
    -------
    Path
        The verified file. It appears at once and whole, or not at all.

    Raises
    ------
    ValueError
        If the weights have no URL.
    DownloadError
        If no mirror gave the file.
    OSError
        If the cache cannot be written.
    """
    if not weights.urls:
        raise ValueError(f"{weights.name} is bundled: it has no URL to fetch it from.")
    target = _cached(weights, cache)
    fetch_file(
        weights.urls,
        target,
        sha256=weights.sha256,
        size=weights.size,
        progress=progress,
        timeout=timeout,
    )
    return target


def fetch_file(
    urls: tuple[str, ...],
    target: Path,
    *,
    sha256: str,
    size: int,
    progress: bool | Progress = False,
    timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
) -> None:
    """Download a file that need not be in the registry to `target`, inside a cache folder.

    Parameters and errors are those of `download`; the folder is made if need be, and one that
    cannot be written is an OSError that says how to choose another.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        download(urls, target, sha256=sha256, size=size, progress=progress, timeout=timeout)
    except DownloadError:
        raise
    except OSError as error:
        raise OSError(
            f"Cannot write {target.name} ({size} bytes) into the folder {target.parent}: "
            f"{error.strerror or error}. Make it a writable folder with room for the file, or "
            f"name another in {CACHE_VARIABLE}."
        ) from error
